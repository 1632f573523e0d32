/* runtime/seccomp-cache.c: compiled filters on disk, found by everything that decides their bytes.
 *
 * A file holds the whole key and the filter; the name is only a hash of the key, and the key is
 * compared, so that no collision can give a container the filter of another one.
 *
 *	magic (8) | length of key (4) | length of filter (4) | key | filter
 *
 * Whatever is wrong with the cache, the filter is compiled. */
#include "runtime/seccomp-internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "oci/config.h"

/* Raised when seccomp.c makes other bytes from the same profile. */
#define GENERATION "2"

enum { KEY_MAX = 4 << 20, KEY_USUAL = 8 * 1024, FILES_MAX = 128, NAME_SIZE = 32 };

struct header {
	char magic[8];
	uint32_t key_len, filter_len;
};
static const char magic[8] = "stubesc" GENERATION;

/* ---- key ---- */

/* By hand: a key has about a thousand of them, and is made at each start. */
static void add_number(struct str *out, uint64_t number)
{
	static const char digits[] = "0123456789abcdef";
	char text[18];
	size_t at = sizeof text;

	do {
		text[--at] = digits[number & 15];
		number >>= 4;
	} while (number);
	text[--at] = ' ';
	str_add_bytes(out, text + at, sizeof text - at);
}

/* Length first, so that no text can pretend to be several. */
static void add_text(struct str *out, const char *text)
{
	size_t len = strlen(text);

	add_number(out, len);
	str_add_char(out, ':');
	str_add_bytes(out, text, len);
}

static void add_errno(struct str *out, const uint32_t *value)
{
	add_number(out, value ? *value + 1ull : 0);
}

static void add_rule(struct str *out, const struct oci_seccomp_rule *rule)
{
	str_add(out, "\nrule");
	add_number(out, (uint64_t)rule->action);
	add_errno(out, rule->errno_ret);
	add_number(out, rule->args.count);
	for (size_t i = 0; i < rule->args.count; i++) {
		const struct oci_seccomp_arg *a = &rule->args.items[i];
		add_number(out, a->index);
		add_number(out, (uint64_t)a->op);
		add_number(out, a->value);
		add_number(out, a->value_two);
	}
	for (size_t i = 0; i < rule->names.count; i++)
		add_text(out, rule->names.items[i]);
}

err *seccomp_cache_key(const struct oci_seccomp *profile, struct str *out)
{
	seccomp_add_version(out);
	str_add(out, "\nactions ");
	/* Older kernels have no such file; then neither the list nor its changes matter. */
	IGNORE(file_read(AT_FDCWD, "/proc/sys/kernel/seccomp/actions_avail", out));
	str_add(out, "default");
	add_number(out, (uint64_t)profile->default_action);
	add_errno(out, profile->default_errno_ret);
	str_add(out, "\narchitectures");
	for (size_t i = 0; i < profile->architectures.count; i++)
		add_number(out, (uint64_t)profile->architectures.items[i]);
	for (size_t i = 0; i < profile->syscalls.count; i++)
		add_rule(out, &profile->syscalls.items[i]);
	return str_check(out);
}

/* FNV-1a, 64 bits: fast, and nobody's safety rests on it. */
static void name_of(const struct str *key, char name[static NAME_SIZE])
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < key->len; i++)
		hash = (hash ^ (unsigned char)key->data[i]) * 0x100000001b3ull;
	snprintf(name, NAME_SIZE, "%016" PRIx64, hash);
}

/* ---- the directory ---- */

/* Ours, and nobody else may write it. */
static bool is_ours(const struct stat *st, mode_t type)
{
	return (st->st_mode & S_IFMT) == type && st->st_uid == geteuid() && (st->st_mode & 022) == 0;
}

static bool is_our_directory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && is_ours(&st, S_IFDIR);
}

/* Go down one name, made when it is missing. */
static bool enter(int *fd, const char *name)
{
	if (mkdirat(*fd, name, 0700) < 0 && errno != EEXIST)
		return false;
	int next = openat(*fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (next < 0)
		return false;
	fd_clear(fd);
	*fd = next;
	return is_our_directory(next);
}

/* $XDG_CACHE_HOME, or ~/.cache. */
static bool user_cache(char *path, size_t size)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n = -1;

	if (xdg && xdg[0] == '/')
		n = snprintf(path, size, "%s", xdg);
	else if (home && home[0] == '/')
		n = snprintf(path, size, "%s/.cache", home);
	return n > 0 && (size_t)n < size;
}

void seccomp_cache_open(const char *root_dir, int *ret_fd)
{
	bool root = geteuid() == 0;
	char path[4096];
	auto_close int fd = -1;

	*ret_fd = -1;
	if (!root && !user_cache(path, sizeof path))
		return;
	const char *top = root ? root_dir : path;
	err *e = path_mkdir_all(top, 0700);
	err_free(e);
	fd = e ? -1 : open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || !is_our_directory(fd))
		return;
	if (enter(&fd, root ? ".cache" : "stube") && enter(&fd, "seccomp"))
		*ret_fd = TAKE_FD(fd);
}

/* ---- files ---- */

/* The filter of `key`, read into the arena; false when the cache has none that can be believed. */
static bool lookup(struct arena *arena, int cache_fd, const char *name, const struct str *key,
		   struct seccomp_program *ret)
{
	auto_close int fd = openat(cache_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	const size_t max = sizeof(struct header) + KEY_MAX + BPF_MAXINSNS * sizeof(struct sock_filter);
	struct header h;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !is_ours(&st, S_IFREG) || (uint64_t)st.st_size < sizeof h ||
	    (uint64_t)st.st_size > max)
		return false;
	size_t len = (size_t)st.st_size;
	char *text = arena_alloc(arena, len);
	if (!text || read(fd, text, len) != (ssize_t)len)
		return false;
	memcpy(&h, text, sizeof h);
	if (memcmp(h.magic, magic, sizeof magic) != 0 || h.key_len != key->len ||
	    len - sizeof h < h.key_len || len - sizeof h - h.key_len != h.filter_len ||
	    memcmp(text + sizeof h, key->data, key->len) != 0)
		return false;
	auto_err err *e = seccomp_check_bytes(text + sizeof h + h.key_len, h.filter_len);
	if (e)
		return false;
	*ret = (struct seccomp_program){ .bytes = text + sizeof h + h.key_len,
					 .len = h.filter_len,
					 .cached = true };
	return true;
}

/* A host whose profiles change all the time must not fill its disk: then the cache begins anew. */
static void bound_files(int cache_fd)
{
	int own = openat(cache_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = own < 0 ? NULL : fdopendir(own);
	size_t count = 0;

	if (!dir) {
		fd_close(own);
		return;
	}
	while (readdir(dir))
		count++;
	rewinddir(dir);
	for (struct dirent *d = readdir(dir); d && count > FILES_MAX; d = readdir(dir)) {
		if (d->d_name[0] != '.')
			unlinkat(cache_fd, d->d_name, 0);
	}
	closedir(dir);
}

static void store(int cache_fd, const char *name, const struct str *key, const struct seccomp_program *p)
{
	auto_str struct str text = STR_INIT(sizeof(struct header) + key->len + p->len);
	struct header h = { .key_len = (uint32_t)key->len, .filter_len = (uint32_t)p->len };

	memcpy(h.magic, magic, sizeof magic);
	str_add_bytes(&text, &h, sizeof h);
	str_add_bytes(&text, key->data, key->len);
	str_add_bytes(&text, p->bytes, p->len);
	bound_files(cache_fd);
	/* Without it the next start compiles again; that is all. */
	IGNORE(file_replace_volatile(cache_fd, name, text.data, text.len, 0600));
}

err *seccomp_get(struct arena *arena, const struct oci_seccomp *profile, int cache_fd, struct strv *warnings,
		 struct seccomp_program *ret)
{
	char usual[KEY_USUAL];
	auto_str struct str key = STR_ON(usual, KEY_MAX);
	char name[NAME_SIZE];

	if (cache_fd < 0)
		return seccomp_compile(arena, profile, warnings, ret);
	err *e = seccomp_cache_key(profile, &key);
	err_free(e);
	if (e) /* a profile too large to be remembered */
		return seccomp_compile(arena, profile, warnings, ret);
	name_of(&key, name);
	if (lookup(arena, cache_fd, name, &key, ret)) {
		seccomp_set_flags(profile, ret);
		return NULL;
	}
	TRY(seccomp_compile(arena, profile, warnings, ret));
	store(cache_fd, name, &key, ret);
	return NULL;
}
