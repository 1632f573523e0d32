/* images/tar-write.c: headers of a tar, always in the same form. */
#include "images/tar-write.h"

#include <sys/stat.h>

#include "base/fd.h"

#define BLOCK 512u

/* Above one pax header's size that readers accept (libarchive: 1 MiB). */
#define PAX_MAX (1u << 20)

/* Spec: pax(1), "ustar Interchange Format". Numbers are octal digits and a NUL. */
struct ustar {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
	char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], unused[12];
};
_Static_assert(sizeof(struct ustar) == BLOCK, "ustar header");

static void octal(char *field, size_t size, uint64_t value)
{
	for (size_t i = size - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
}

static void set_checksum(struct ustar *h)
{
	const unsigned char *bytes = (const unsigned char *)h;
	unsigned sum = 0;

	memset(h->checksum, ' ', sizeof h->checksum);
	for (size_t i = 0; i < sizeof *h; i++)
		sum += bytes[i];
	octal(h->checksum, 7, sum);
	h->checksum[6] = '\0';
}

/* "LENGTH KEY=VALUE\n"; LENGTH counts its own digits. */
static void pax_record(struct str *out, const char *key, const void *value, size_t len)
{
	size_t body = strlen(key) + len + 3, total = body + 1;

	while (total != body + (size_t)snprintf(NULL, 0, "%zu", total))
		total = body + (size_t)snprintf(NULL, 0, "%zu", total);
	str_addf(out, "%zu %s=", total, key);
	str_add_bytes(out, value, len);
	str_add_char(out, '\n');
}

static void pax_text(struct str *out, const char *key, const char *value)
{
	pax_record(out, key, value, strlen(value));
}

static void pax_number(struct str *out, const char *key, int64_t value)
{
	char text[32];

	snprintf(text, sizeof text, "%lld", (long long)value);
	pax_text(out, key, text);
}

/* A number in its field, or in a pax record and the field zero. */
static void number(struct str *pax, const char *key, char *field, size_t size, int64_t value)
{
	bool fits = value >= 0 && (uint64_t)value < 1ull << 3 * (size - 1);

	octal(field, size, fits ? (uint64_t)value : 0);
	if (!fits)
		pax_number(pax, key, value);
}

/* The same for a name. */
static void name(struct str *pax, const char *key, char *field, size_t size, const char *value)
{
	size_t len = strlen(value);

	memcpy(field, value, MIN(len, size));
	if (len > size)
		pax_text(pax, key, value);
}

static char type_of(const struct tar_entry *e)
{
	static const struct {
		uint32_t format;
		char type;
	} types[] = {
		{ S_IFDIR, '5' }, { S_IFLNK, '2' }, { S_IFCHR, '3' }, { S_IFBLK, '4' }, { S_IFIFO, '6' },
	};

	for (size_t i = 0; !e->hard_link && i < ARRAY_LEN(types); i++)
		if ((e->mode & S_IFMT) == types[i].format)
			return types[i].type;
	return e->hard_link ? '1' : '0';
}

static err *write_ustar(int tar_fd, struct ustar *h)
{
	memcpy(h->magic, "ustar", 6);
	memcpy(h->version, "00", 2);
	set_checksum(h);
	return fd_write_all(tar_fd, h, sizeof *h);
}

static err *write_pax(int tar_fd, const struct str *pax)
{
	struct ustar h = { .name = "PaxHeader", .type = 'x' };

	TRY(str_check(pax));
	if (!pax->len)
		return NULL;
	octal(h.mode, sizeof h.mode, 0644);
	octal(h.uid, sizeof h.uid, 0);
	octal(h.gid, sizeof h.gid, 0);
	octal(h.size, sizeof h.size, pax->len);
	octal(h.mtime, sizeof h.mtime, 0);
	TRY(write_ustar(tar_fd, &h));
	TRY(fd_write_all(tar_fd, pax->data, pax->len));
	return tar_write_padding(tar_fd, pax->len);
}

/* The map stands before the data: how many pieces, then offset and length of each, one number a line; the
 * end of the file is a piece of length 0. */
static void sparse_map(const struct tar_entry *e, struct str *out)
{
	size_t count = e->extents ? e->extent_count : 0;
	bool open = !count || e->extents[count - 1].offset + e->extents[count - 1].length < e->size;

	str_addf(out, "%zu\n", count + open);
	for (size_t i = 0; i < count; i++)
		str_addf(out, "%llu\n%llu\n", (unsigned long long)e->extents[i].offset,
			 (unsigned long long)e->extents[i].length);
	if (open)
		str_addf(out, "%llu\n0\n", (unsigned long long)e->size);
	while (out->len % BLOCK && !out->failed)
		str_add_char(out, '\0');
}

static uint64_t stored_size(const struct tar_entry *e, const struct str *map)
{
	uint64_t size = map->len;

	if (!map->len)
		return S_ISREG(e->mode) && !e->hard_link ? e->size : 0;
	for (size_t i = 0; i < e->extent_count; i++)
		size += e->extents[i].length;
	return size;
}

static void sparse_records(struct str *pax, const struct tar_entry *e)
{
	pax_number(pax, "GNU.sparse.major", 1);
	pax_number(pax, "GNU.sparse.minor", 0);
	pax_text(pax, "GNU.sparse.name", e->path);
	pax_number(pax, "GNU.sparse.realsize", (int64_t)e->size);
}

err *tar_write_header(int tar_fd, const struct tar_entry *e, bool sparse)
{
	auto_str struct str pax = STR_INIT(PAX_MAX), map = STR_INIT(64u << 20), path = STR_INIT(64u << 10),
			    key = STR_INIT(1024);
	struct ustar h = { .type = type_of(e) };

	if (sparse) {
		sparse_map(e, &map);
		TRY(str_check(&map));
		sparse_records(&pax, e);
	}
	str_addf(&path, "%s%s", e->path, h.type == '5' ? "/" : "");
	TRY(str_check(&path));
	name(&pax, "path", h.name, sizeof h.name, path.data);
	if (e->link)
		name(&pax, "linkpath", h.link, sizeof h.link, e->link);
	octal(h.mode, sizeof h.mode, e->mode & 07777);
	number(&pax, "uid", h.uid, sizeof h.uid, e->uid);
	number(&pax, "gid", h.gid, sizeof h.gid, e->gid);
	number(&pax, "size", h.size, sizeof h.size, (int64_t)stored_size(e, &map));
	number(&pax, "mtime", h.mtime, sizeof h.mtime, e->mtime);
	if (h.type == '3' || h.type == '4') {
		octal(h.major, sizeof h.major, e->major);
		octal(h.minor, sizeof h.minor, e->minor);
	}
	for (size_t i = 0; i < e->xattr_count; i++) {
		str_clear(&key);
		str_addf(&key, "SCHILY.xattr.%s", e->xattrs[i].name);
		pax_record(&pax, key.data, e->xattrs[i].value, e->xattrs[i].size);
	}
	TRY(write_pax(tar_fd, &pax));
	TRY(write_ustar(tar_fd, &h));
	return fd_write_all(tar_fd, map.data, map.len);
}

err *tar_write_padding(int tar_fd, uint64_t written)
{
	static const char zeros[BLOCK];

	return fd_write_all(tar_fd, zeros, (BLOCK - written % BLOCK) % BLOCK);
}

err *tar_write_end(int tar_fd)
{
	static const char zeros[2 * BLOCK];

	return fd_write_all(tar_fd, zeros, sizeof zeros);
}
