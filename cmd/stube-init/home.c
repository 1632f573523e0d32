/* cmd/stube-init/home.c: HOME for a program whose config does not say: from the container's /etc/passwd. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/stube-init/init.h"

/* An image's file: only the first part of a longer one is looked at. */
#define PASSWD_MAX (256 * 1024)

/* Field number `n` of a line, counted from 0; cut out in place. */
static char *field(char *line, unsigned n)
{
	while (n-- > 0) {
		line = strchr(line, ':');
		if (!line)
			return NULL;
		line++;
	}
	line[strcspn(line, ":")] = '\0';
	return line;
}

/* The home directory of `uid` in the text, which is changed; NULL when there is none. */
static const char *home_of(char *text, uint32_t uid)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		auto_free char *copy = strdup(line);
		char *id = copy ? field(copy, 2) : NULL;
		uint64_t value;

		if (id && str_to_u64(id, &value) && value == uid)
			return field(line, 5);
	}
	return NULL;
}

static void read_start(int fd, struct str *out)
{
	ssize_t n;

	do {
		char *room = str_room(out, 8192);
		n = room ? read(fd, room, 8192) : 0;
		if (n > 0)
			str_grown(out, (size_t)n);
	} while (n > 0);
}

err *home_add(struct init *init)
{
	auto_str struct str text = STR_INIT(PASSWD_MAX);
	auto_close int fd = open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	size_t count = 0;

	for (char **e = init->env; *e; e++, count++)
		if (str_starts_with(*e, "HOME="))
			return NULL;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		read_start(fd, &text);
	const char *home = home_of(text.data, init->plan->process.uid);
	char **env = realloc(init->env, (count + 2) * sizeof *env);
	if (!env)
		return err_oom();
	init->env = env;
	size_t size = sizeof "HOME=/" + (home ? strlen(home) : 0);
	env[count] = malloc(size);
	env[count + 1] = NULL;
	if (!env[count])
		return err_oom();
	snprintf(env[count], size, "HOME=%s", home && *home ? home : "/");
	return NULL;
}
