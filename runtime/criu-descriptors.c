/* runtime/criu-descriptors.c: the standard descriptors that a container shares with the host, across a
 * checkpoint.
 *
 * descriptors.json beside the images has an entry for 0, 1 and 2: the key under which CRIU knows it
 * ("pipe:[123]", "file[1f:2a]"), else what it led to, for readers. runc and crun write and read the pipes of
 * the same file. Ref: criu.org/Inheriting_FDs_on_restore. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/decode.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "runtime/checkpoint.h"

enum { KEY_MAX = PATH_MAX, FILE_MAX_BYTES = 64 * 1024 };

static bool is_pipe(const char *key)
{
	return str_starts_with(key, "pipe:");
}

static bool is_file_key(const char *key)
{
	return str_starts_with(key, "file[");
}

/* ---- dump ---- */

/* "mnt_id:\t31" of fdinfo; false when there is none. */
static err *mount_of(int proc_fd, pid_t pid, int fd, unsigned *ret)
{
	auto_str struct str text = STR_INIT(FILE_MAX_BYTES);
	char path[64];

	snprintf(path, sizeof path, "%d/fdinfo/%d", pid, fd);
	TRY(file_read(proc_fd, path, &text));
	const char *line = strstr(text.data, "mnt_id:");
	if (!line || sscanf(line, "mnt_id: %u", ret) != 1)
		return err_new(EINVAL, "'/proc/%s' has no mnt_id", path);
	return NULL;
}

/* Whether the mount is one of the container's namespace: then CRIU finds the file by itself. */
static err *is_mounted_inside(int proc_fd, pid_t pid, unsigned id, bool *ret)
{
	auto_str struct str text = STR_INIT(16 << 20);
	char path[64], *save = NULL;

	snprintf(path, sizeof path, "%d/mountinfo", pid);
	TRY(file_read(proc_fd, path, &text));
	*ret = false;
	for (char *line = strtok_r(text.data, "\n", &save); line && !*ret;
	     line = strtok_r(NULL, "\n", &save)) {
		unsigned listed;

		*ret = sscanf(line, "%u", &listed) == 1 && listed == id;
	}
	return NULL;
}

/* The key of a file that was opened on the host, such as its /dev/null or a log. */
static err *file_key(int proc_fd, pid_t pid, int fd, char key[KEY_MAX])
{
	char path[64];
	struct stat st;
	unsigned mount = 0;
	bool inside = false;

	snprintf(path, sizeof path, "%d/fd/%d", pid, fd);
	if (fstatat(proc_fd, path, &st, 0) < 0)
		return err_errno("check '/proc/%s'", path);
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISDIR(st.st_mode))
		return NULL;
	TRY(mount_of(proc_fd, pid, fd, &mount));
	TRY(is_mounted_inside(proc_fd, pid, mount, &inside));
	if (!inside)
		snprintf(key, KEY_MAX, "file[%x:%llx]", mount, (unsigned long long)st.st_ino);
	return NULL;
}

/* `key` is empty when the descriptor is closed. */
static err *present_key(int proc_fd, pid_t pid, int fd, char key[KEY_MAX])
{
	char path[64];

	snprintf(path, sizeof path, "%d/fd/%d", pid, fd);
	ssize_t n = readlinkat(proc_fd, path, key, KEY_MAX - 1);
	key[n > 0 ? n : 0] = '\0';
	if (n < 0)
		return errno == ENOENT ? NULL : err_errno("read '/proc/%s'", path);
	return *key == '/' ? file_key(proc_fd, pid, fd, key) : NULL;
}

err *criu_dump_descriptors(struct criu_work *w, int proc_fd, pid_t pid, const struct strings *recorded)
{
	auto_str struct str text = STR_INIT(FILE_MAX_BYTES);
	struct json_writer list = JSON_WRITER(&text, 0);

	json_begin_array(&list);
	for (int fd = 0; fd < 3; fd++) {
		const char *had = (size_t)fd < recorded->count ? recorded->items[fd] : "";
		char key[KEY_MAX];

		TRY(present_key(proc_fd, pid, fd, key));
		if (is_file_key(key))
			criu_add_external(w, key);
		/* A pipe counts as it was at the start: the container may have put one of its own in its
		 * place. */
		json_string(&list, is_pipe(had) ? had : is_pipe(key) ? "" : key);
	}
	json_end_array(&list);
	TRY(str_check(&text));
	return err_wrap(file_replace(w->image_fd, CHECKPOINT_DESCRIPTORS, text.data, text.len, 0600),
			"--image-path: '%s'", CHECKPOINT_DESCRIPTORS);
}

/* ---- restore ---- */

static err *load(struct arena *arena, int image_fd, struct strings *ret)
{
	auto_str struct str text = STR_INIT(FILE_MAX_BYTES);
	struct decoder d = { .arena = arena, .name = CHECKPOINT_DESCRIPTORS };

	TRY(err_wrap(file_read(image_fd, CHECKPOINT_DESCRIPTORS, &text), "--image-path: '%s'",
		     CHECKPOINT_DESCRIPTORS));
	return decode_text(&d, &t_strings, NULL, text.data, text.len, ret);
}

static bool is_listed_before(const struct strings *keys, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (str_equal(keys->items[i], keys->items[index]))
			return true;
	return false;
}

err *criu_restore_descriptors(struct arena *arena, struct criu_work *w, int fds[static 3], size_t *ret_count)
{
	struct strings keys = { 0 };

	TRY(load(arena, w->image_fd, &keys));
	for (size_t i = 0; i < keys.count && i < 3; i++) {
		if ((!is_pipe(keys.items[i]) && !is_file_key(keys.items[i])) || is_listed_before(&keys, i))
			continue;
		/* Above 0 to 2, which criu itself uses. */
		int fd = fd_dup((int)i);
		if (fd < 0)
			return err_errno("duplicate descriptor %zu", i);
		fds[(*ret_count)++] = fd;
		criu_add_inherited(w, keys.items[i], fd);
	}
	return NULL;
}
