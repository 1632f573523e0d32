/* agent/place.c: the folders of local containers. */
#include "agent/place.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

bool place_is_root(void)
{
	auto_str struct str map = STR_INIT(4096);
	err *e = file_read(AT_FDCWD, "/proc/self/uid_map", &map);
	unsigned inside = 1, outside = 1, size = 0;
	bool initial = !e && sscanf(map.data, "%u %u %u", &inside, &outside, &size) == 3 && inside == 0 &&
		       outside == 0 && size == UINT32_MAX;

	err_free(e);
	return geteuid() == 0 && initial;
}

static err *place(const char *own, const char *root, const char *xdg, const char *below_home, struct str *out)
{
	const char *wanted = getenv(own), *base = getenv(xdg), *home = getenv("HOME");

	if (wanted && *wanted) {
		if (wanted[0] != '/')
			return err_new(EINVAL, "%s: '%s' is not an absolute path", own, wanted);
		str_add(out, wanted);
	} else if (place_is_root()) {
		str_add(out, root);
	} else if (base && base[0] == '/') {
		str_addf(out, "%s/stube", base);
	} else if (below_home && home && home[0] == '/') {
		str_addf(out, "%s/%s", home, below_home);
	} else {
		return err_hint(err_new(EINVAL, "neither %s nor %s names a folder", own, xdg),
				"Log in anew, or set %s to a folder of your own.", xdg);
	}
	return str_check(out);
}

err *place_run(struct str *out)
{
	return place("STUBE_RUN", "/run/stube", "XDG_RUNTIME_DIR", NULL, out);
}

err *place_data(struct str *out)
{
	return place("STUBE_DATA", "/var/lib/stube", "XDG_DATA_HOME", ".local/share/stube", out);
}

err *place_open(const char *path, int *ret_fd)
{
	struct stat st;
	auto_close int fd = -1;

	TRY(path_mkdir_all(path, 0700));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno("open '%s'", path);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return err_new(EPERM, "'%s' belongs to user %u, mode %04o: others could change it", path,
			       (unsigned)st.st_uid, st.st_mode & 07777);
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

err *place_programs(const char *given, char out[static PATH_MAX])
{
	if (given)
		return snprintf(out, PATH_MAX, "%s", given) < PATH_MAX ? NULL
								       : err_new(ENAMETOOLONG, "'%s'", given);
	ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);
	if (len < 0)
		return err_errno("find this program's folder");
	out[len] = '\0';
	char *slash = strrchr(out, '/');
	if (slash)
		*slash = '\0';
	return NULL;
}
