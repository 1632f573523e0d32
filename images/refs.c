/* images/refs.c: names of images: one file each, written last, replaced atomically. */
#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "images/store-internal.h"

#define REF_LINE_MAX 1024
#define REFS_MAX     100000

/* Characters of a name that stand for themselves in a file name. */
static bool is_plain(char c, bool first)
{
	return isalnum((unsigned char)c) || strchr("_-:@+", c) || (c == '.' && !first);
}

bool ref_escape(const char *name, char out[static 256])
{
	size_t len = 0;

	for (const char *p = name; *p; p++) {
		bool plain = is_plain(*p, p == name);

		if (len + (plain ? 1 : 3) > 255)
			return false;
		if (plain)
			out[len++] = *p;
		else
			len += (size_t)snprintf(out + len, 4, "%%%02X", (unsigned char)*p);
	}
	out[len] = '\0';
	return len > 0;
}

bool ref_unescape(const char *file_name, char out[static 256])
{
	static const char digits[] = "0123456789ABCDEF";
	char again[256];
	size_t len = 0;

	for (const char *p = file_name; *p; p++) {
		if (len >= 255)
			return false;
		if (*p != '%') {
			out[len++] = *p;
			continue;
		}
		const char *high = p[1] ? strchr(digits, p[1]) : NULL;
		const char *low = high && p[2] ? strchr(digits, p[2]) : NULL;
		if (!low)
			return false;
		out[len] = (char)((high - digits) * 16 + (low - digits));
		if (!out[len++])
			return false;
		p += 2;
	}
	out[len] = '\0';
	/* One name has one file: other spellings of it are nobody's. */
	return ref_escape(out, again) && str_equal(again, file_name);
}

static bool is_media_type(const char *text)
{
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("/+.-_", *p))
			return false;
	return *text && strlen(text) <= 255;
}

err *ref_parse(struct arena *arena, const char *name, const char *text, size_t len, struct image_ref *ret)
{
	char *line, *rest = NULL;
	uint64_t size;

	if (len == 0 || len > REF_LINE_MAX || text[len - 1] != '\n' || memchr(text, '\0', len))
		return err_new(EINVAL, "name '%s': ref file is damaged", name);
	TRY_ALLOC(arena, line, arena_strndup(arena, text, len - 1));
	char *digest = strtok_r(line, " ", &rest);
	char *size_text = strtok_r(NULL, " ", &rest);
	char *media_type = strtok_r(NULL, " ", &rest);
	char *excess = strtok_r(NULL, " ", &rest);
	if (!digest || !size_text || !media_type || excess)
		return err_new(EINVAL, "name '%s': ref file is damaged", name);
	TRY(err_wrap(digest_parse(digest, &ret->digest), "name '%s': ref file", name));
	if (!str_to_u64(size_text, &size) || size > INT64_MAX || !is_media_type(media_type))
		return err_new(EINVAL, "name '%s': ref file is damaged", name);
	ret->size = (int64_t)size;
	ret->media_type = media_type;
	TRY_ALLOC(arena, ret->name, arena_strdup(arena, name));
	return NULL;
}

static err *ref_path(const char *name, char path[static STORE_PATH_MAX + 8])
{
	char file[256];

	if (!ref_escape(name, file))
		return err_new(ENAMETOOLONG, "name '%s' does not fit into a file name", name);
	snprintf(path, STORE_PATH_MAX + 8, "refs/%s", file);
	return NULL;
}

err *image_store_tag(struct image_store *s, const struct image_ref *ref)
{
	char path[STORE_PATH_MAX + 8];
	char digest[DIGEST_TEXT_MAX];
	char line[REF_LINE_MAX];

	TRY(ref_path(ref->name, path));
	if (!is_media_type(ref->media_type) || ref->size < 0)
		return err_new(EINVAL, "name '%s': '%s' is no media type", ref->name, ref->media_type);
	if (!image_blob_exists(s, &ref->digest))
		return err_new(ENOENT, "name '%s': %s is not in the image store", ref->name,
			       digest_text(&ref->digest, digest));
	int len = snprintf(line, sizeof line, "%s %lld %s\n", digest_text(&ref->digest, digest),
			   (long long)ref->size, ref->media_type);
	return file_replace(s->fd, path, line, (size_t)len, 0600);
}

err *image_store_untag(struct image_store *s, const char *name)
{
	char path[STORE_PATH_MAX + 8];

	TRY(ref_path(name, path));
	if (unlinkat(s->fd, path, 0) < 0)
		return errno == ENOENT ? err_new(ENOENT, "no image is called '%s'", name)
				       : err_errno("remove name '%s'", name);
	return store_sync_dir(s, "refs");
}

err *image_store_ref(struct image_store *s, struct arena *arena, const char *name, struct image_ref *ret)
{
	auto_str struct str text = STR_INIT(REF_LINE_MAX);
	char path[STORE_PATH_MAX + 8];

	TRY(ref_path(name, path));
	if (faccessat(s->fd, path, F_OK, 0) < 0 && errno == ENOENT)
		return err_new(ENOENT, "no image is called '%s'", name);
	TRY(file_read(s->fd, path, &text));
	return ref_parse(arena, name, text.data, text.len, ret);
}

struct listing {
	struct arena *arena;
	struct image_refs *refs;
	size_t cap;
};

static err *grow(struct listing *l)
{
	struct image_ref *items;

	if (l->refs->count >= REFS_MAX)
		return err_new(EFBIG, "more than %d names", REFS_MAX);
	if (l->refs->count < l->cap)
		return NULL;
	l->cap = l->cap ? l->cap * 2 : 32;
	TRY_ALLOC(l->arena, items, arena_array(l->arena, l->cap, sizeof *items));
	if (l->refs->count)
		memcpy(items, l->refs->items, l->refs->count * sizeof *items);
	l->refs->items = items;
	return NULL;
}

static err *list_one(struct image_store *s, int dir_fd, const char *file, void *arg)
{
	struct listing *l = arg;
	char name[256];

	(void)dir_fd;
	/* A leading dot is the temporary file of a writer that is at work or was killed. */
	if (*file == '.')
		return NULL;
	if (!ref_unescape(file, name))
		return err_new(EINVAL, "'%s/refs/%s' is not the file of a name", s->path, file);
	TRY(grow(l));
	err *e = image_store_ref(s, l->arena, name, &l->refs->items[l->refs->count]);
	if (e && e->code == ENOENT) { /* removed meanwhile */
		err_free(e);
		return NULL;
	}
	TRY(e);
	l->refs->count++;
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct image_ref *)a)->name, ((const struct image_ref *)b)->name);
}

err *image_store_refs(struct image_store *s, struct arena *arena, struct image_refs *ret)
{
	struct image_refs refs = { 0 };
	struct listing l = { .arena = arena, .refs = &refs };

	TRY(store_each(s, "refs", list_one, &l));
	if (refs.count > 1)
		qsort(refs.items, refs.count, sizeof *refs.items, by_name);
	*ret = refs;
	return NULL;
}
