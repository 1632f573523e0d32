/* images/store.c: the store's directory: where it is, its version, its lock. */
#include "images/store-internal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

static const char *const directories[] = {
	"blobs",	 "blobs/sha256", "blobs/sha512", "layers", "layers/sha256",
	"layers/sha512", "ingest",	 "refs",	 "leases",
};

/* Root of the machine, not of a user namespace that a rootless caller entered: that one is still a user. */
static bool is_root(void)
{
	auto_str struct str map = STR_INIT(4096);
	unsigned inside, outside, size;
	err *e = file_read(AT_FDCWD, "/proc/self/uid_map", &map);
	bool initial = !e && sscanf(map.data, "%u %u %u", &inside, &outside, &size) == 3 && inside == 0 &&
		       outside == 0 && size == UINT32_MAX;

	err_free(e);
	return initial && geteuid() == 0;
}

err *image_store_place(const char *option, struct str *out)
{
	const char *from_env = getenv("STUBE_STORE");
	const char *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");

	if (option && *option)
		str_add(out, option);
	else if (from_env && *from_env)
		str_add(out, from_env);
	else if (is_root())
		str_add(out, "/var/lib/stube/images");
	else if (data && *data == '/')
		str_addf(out, "%s/stube/images", data);
	else if (home && *home == '/')
		str_addf(out, "%s/.local/share/stube/images", home);
	else
		return err_hint(err_new(EINVAL, "no place for the image store is known"),
				"Set STUBE_STORE or HOME, or use --store DIR.");
	return str_check(out);
}

err *store_flock(int fd, int operation, bool *ret_held)
{
	int result;

	do
		result = flock(fd, operation);
	while (result < 0 && errno == EINTR);
	if (ret_held)
		*ret_held = result < 0 && errno == EWOULDBLOCK;
	if (result < 0 && !(ret_held && *ret_held))
		return err_errno("lock");
	return NULL;
}

err *store_sync_dir(struct image_store *s, const char *name)
{
	auto_close int fd = openat(s->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_errno("sync '%s/%s'", s->path, name);
	return NULL;
}

err *store_each(struct image_store *s, const char *name,
		err *(*visit)(struct image_store *s, int dir_fd, const char *name, void *arg), void *arg)
{
	int fd = openat(s->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	err *e = NULL;

	if (!dir) {
		e = err_errno("open '%s/%s'", s->path, name);
		fd_close(fd);
		return e;
	}
	struct dirent *entry;
	while (!e && (errno = 0, entry = readdir(dir)))
		if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
			e = visit(s, dirfd(dir), entry->d_name, arg);
	if (!e && errno)
		e = err_errno("read '%s/%s'", s->path, name);
	closedir(dir);
	return e;
}

err *store_check_space(struct image_store *s, uint64_t bytes)
{
	struct statvfs fs;

	if (fstatvfs(s->fd, &fs) < 0)
		return err_errno("ask for the free space of '%s'", s->path);
	uint64_t free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (free_bytes >= bytes)
		return NULL;
	return err_new(ENOSPC, "'%s' has %llu MB free, at least %llu MB are needed", s->path,
		       (unsigned long long)(free_bytes >> 20), (unsigned long long)(bytes >> 20) + 1);
}

err *store_grow(struct arena *arena, void **items, size_t size, size_t count, size_t *cap)
{
	void *more;

	if (count < *cap)
		return NULL;
	*cap = *cap ? *cap * 2 : 16;
	TRY_ALLOC(arena, more, arena_array(arena, *cap, size));
	if (count)
		memcpy(more, *items, count * size);
	*items = more;
	return NULL;
}

/* Nobody but us may have put content here: a layer's bytes are trusted once they are visible. */
static err *check_owner(struct image_store *s)
{
	struct stat st;

	if (fstat(s->fd, &st) < 0)
		return err_errno("stat");
	if (st.st_uid != geteuid())
		return err_new(EPERM, "belongs to user %u, not to user %u", st.st_uid, geteuid());
	/* Set-id files of images and private data must not be reachable for others. */
	if ((st.st_mode & 07777) != 0700 && fchmod(s->fd, 0700) < 0)
		return err_errno("set mode 0700");
	return NULL;
}

static err *refuse_foreign(struct image_store *s, int dir_fd, const char *name, void *arg)
{
	(void)s;
	(void)dir_fd;
	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		if (str_equal(directories[i], name))
			return NULL;
	/* Another process may be making the same store: its version, whole or not yet, is no stranger. */
	if (str_equal(name, "lock") || str_equal(name, "version") || str_starts_with(name, ".version."))
		return NULL;
	return err_hint(err_new(EINVAL, "is not an image store: it holds '%s'", name),
			"Use an empty or a new directory.");
}

/* Several processes may do this at once: every step can be repeated, the version comes last. */
static err *initialise(struct image_store *s)
{
	char text[16];

	TRY(store_each(s, ".", refuse_foreign, NULL));
	for (size_t i = 0; i < ARRAY_LEN(directories); i++)
		if (mkdirat(s->fd, directories[i], 0700) < 0 && errno != EEXIST)
			return err_errno("make '%s'", directories[i]);
	TRY(store_sync_dir(s, "blobs"));
	TRY(store_sync_dir(s, "layers"));
	snprintf(text, sizeof text, "%d\n", STORE_VERSION);
	return file_replace(s->fd, "version", text, strlen(text), 0600);
}

static err *check_version(struct image_store *s)
{
	auto_str struct str text = STR_INIT(64);
	uint64_t version;

	TRY(file_read(s->fd, "version", &text));
	if (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	if (!str_to_u64(text.data, &version) || version == 0)
		return err_new(EINVAL, "version file holds '%s'", text.data);
	if (version > STORE_VERSION)
		return err_hint(err_new(ENOTSUP, "has version %llu, this program knows version %d",
					(unsigned long long)version, STORE_VERSION),
				"A newer Stube made it; use that one, or another --store.");
	return NULL;
}

static err *open_store(struct image_store *s)
{
	TRY(path_mkdir_all(s->path, 0700));
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0)
		return err_errno("open");
	TRY(check_owner(s));
	bool fresh = faccessat(s->fd, "version", F_OK, 0) < 0;
	if (fresh)
		TRY(store_each(s, ".", refuse_foreign, NULL));
	s->lock_fd = openat(s->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		return err_errno("open 'lock'");
	TRY(store_flock(s->lock_fd, s->use == IMAGE_STORE_SWEEP ? LOCK_EX : LOCK_SH, NULL));
	if (fresh)
		TRY(initialise(s));
	return check_version(s);
}

err *image_store_open(const char *path, enum image_store_use use, struct image_store **ret)
{
	auto_store struct image_store *s = calloc(1, sizeof *s);

	if (!s)
		return err_oom();
	*s = (struct image_store){ .path = strdup(path), .fd = -1, .lock_fd = -1, .use = use };
	if (!s->path)
		return err_oom();
	TRY(err_wrap(open_store(s), "image store '%s'", path));
	*ret = TAKE(s);
	return NULL;
}

void image_store_free(struct image_store *s)
{
	if (!s)
		return;
	fd_close(s->lock_fd);
	fd_close(s->fd);
	free(s->path);
	free(s);
}

const char *image_store_path(const struct image_store *s)
{
	return s->path;
}

int image_store_fd(const struct image_store *s)
{
	return s->fd;
}
