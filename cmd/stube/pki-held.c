/* cmd/stube/pki-held.c: the certificates of an authority: those in its folder, and those that it issued
 * elsewhere. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decode.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "cmd/stube/pki.h"

enum { FILES_MAX = 4096 };
#define REGISTER_FILE	 "elsewhere.json"
#define REGISTER_VERSION 1

/* ---- the register of files outside the folder ---- */

struct entry {
	const char *file, *role, *name;
	int64_t ends;
};
struct entries {
	uint32_t version;
	LIST(struct entry) files;
};

/* clang-format off */
static const struct field entry_fields[] = {
	FIELD(struct entry, "file", file, t_nonempty, REQUIRED, NULL),
	FIELD(struct entry, "role", role, t_nonempty, REQUIRED, NULL),
	FIELD(struct entry, "name", name, t_nonempty, REQUIRED, NULL),
	FIELD(struct entry, "ends", ends, t_i64,      REQUIRED, NULL),
	{0}
};
static const struct type t_entry = OBJECT("certificate", struct entry, entry_fields);
static const struct type t_files = ARRAY_OF_MAX(t_entry, FILES_MAX);
static const struct type t_version = UINT_RANGE("version", uint32_t, 1, REGISTER_VERSION);
static const struct field register_fields[] = {
	FIELD(struct entries, "version", version, t_version, REQUIRED, NULL),
	FIELD(struct entries, "files",   files,   t_files,   REQUIRED, NULL),
	{0}
};
static const struct type t_register = OBJECT("register", struct entries, register_fields);
/* clang-format on */

static err *register_read(struct arena *arena, int dir_fd, struct entries *ret)
{
	struct decoder d = { .arena = arena, .name = REGISTER_FILE };

	*ret = (struct entries){ .version = REGISTER_VERSION };
	err *e = decode_file(&d, &t_register, NULL, dir_fd, REGISTER_FILE, ret);
	if (!e || e->code != ENOENT)
		return e;
	err_free(e);
	return NULL;
}

err *pki_held_note(struct arena *arena, int dir_fd, const char *file, enum pki_role role, const char *name,
		   const char *cert)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	struct entries have;
	struct entry *grown;
	struct pki_info info;
	size_t i = 0;

	TRY(pki_read(arena, cert, &info));
	TRY(register_read(arena, dir_fd, &have));
	while (i < have.files.count && !str_equal(have.files.items[i].file, file))
		i++;
	if (i == FILES_MAX)
		return err_new(E2BIG, REGISTER_FILE ": more than %d files", FILES_MAX);
	if (i == have.files.count) {
		TRY_ALLOC(arena, grown, arena_array(arena, i + 1, sizeof(*grown)));
		if (i)
			memcpy(grown, have.files.items, i * sizeof(*grown));
		have.files.items = grown;
		have.files.count++;
	}
	have.files.items[i] = (struct entry){ file, pki_roles[role].word, name, info.ends };
	encode_text(&text, &t_register, &have, 2);
	str_add_char(&text, '\n');
	TRY(str_check(&text));
	return file_replace(dir_fd, REGISTER_FILE, text.data, text.len, 0600);
}

/* ---- one certificate ---- */

err *pki_held_read(struct arena *arena, int dir_fd, const char *file, struct pki_held *ret)
{
	const char *text, *cert;

	*ret = (struct pki_held){ .file = file, .is_config = !str_ends_with(file, ".crt") };
	TRY(pki_dir_read(arena, dir_fd, file, &text));
	cert = text;
	if (ret->is_config) {
		TRY(api_config_parse(arena, file, text, strlen(text), dir_fd, &ret->config));
		cert = ret->config.cert;
	}
	if (!cert)
		return err_new(EINVAL, "'%s': no client certificate in it", file);
	return err_wrap(pki_read(arena, cert, &ret->info), "'%s'", file);
}

static const struct pki_role_row *role_of(const struct pki_info *info)
{
	for (size_t i = 0; i < PKI_ROLE_COUNT; i++)
		if (info->groups[0] ? str_equal(info->groups[0], pki_roles[i].groups[0])
				    : !pki_roles[i].groups[0])
			return &pki_roles[i];
	return NULL;
}

const char *pki_held_role(const struct pki_held *h)
{
	const struct pki_role_row *row = h->info.authority ? NULL : role_of(&h->info);

	return h->info.authority ? "authority" : row ? row->word : "-";
}

/* It may have been carried away, or be somebody else's by now: what was issued is known all the same. */
static err *read_entry(struct arena *arena, int dir_fd, const struct entry *entry, struct pki_held *ret)
{
	err *e = pki_held_read(arena, dir_fd, entry->file, ret);

	if (!e)
		return NULL;
	err_free(e);
	*ret = (struct pki_held){ .file = entry->file, .is_config = true, .away = true };
	ret->info.name = entry->name;
	ret->info.ends = entry->ends;
	ret->info.groups = pki_roles[PKI_SCHEDULER].groups;
	for (size_t i = 0; i < PKI_ROLE_COUNT; i++)
		if (str_equal(pki_roles[i].word, entry->role))
			ret->info.groups = pki_roles[i].groups;
	return NULL;
}

/* ---- all ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static err *list_names(struct arena *arena, int dir_fd, const char **names, size_t *ret_count)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	err *e = NULL;

	if (!dir) {
		fd_close(fd);
		return err_errno("list the folder");
	}
	*ret_count = 0;
	for (struct dirent *entry; !e && (entry = readdir(dir));) {
		if (!str_ends_with(entry->d_name, ".crt") && !str_ends_with(entry->d_name, ".conf"))
			continue;
		if (*ret_count == FILES_MAX) {
			e = err_new(E2BIG, "more than %d certificates", FILES_MAX);
			break;
		}
		names[*ret_count] = arena_strdup(arena, entry->d_name);
		if (!names[(*ret_count)++])
			e = arena_error(arena);
	}
	closedir(dir);
	if (!e)
		qsort(names, *ret_count, sizeof(*names), by_name);
	return e;
}

err *pki_held_list(struct arena *arena, int dir_fd, struct pki_held **ret, size_t *ret_count)
{
	struct entries elsewhere;
	struct pki_held *held;
	const char **names;
	size_t count = 0;

	TRY_ALLOC(arena, names, (const char **)arena_array(arena, FILES_MAX, sizeof(*names)));
	TRY(list_names(arena, dir_fd, names, &count));
	TRY(register_read(arena, dir_fd, &elsewhere));
	TRY_ALLOC(arena, held, arena_array(arena, count + elsewhere.files.count, sizeof(*held)));
	for (size_t i = 0; i < count; i++)
		TRY(pki_held_read(arena, dir_fd, names[i], &held[i]));
	for (size_t i = 0; i < elsewhere.files.count; i++)
		TRY(read_entry(arena, dir_fd, &elsewhere.files.items[i], &held[count + i]));
	*ret = held;
	*ret_count = count + elsewhere.files.count;
	return NULL;
}

/* ---- renewing: the same certificate with a new key and new dates ---- */

/* A new key must not land where another user has a say. */
static err *check_place(const struct pki_held *h)
{
	struct stat st;

	if (h->away)
		return err_hint(err_new(ENOENT, "it is not there any more"),
				"Issue it anew, and carry it to where it is used.");
	if (h->file[0] == '/' && (lstat(h->file, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()))
		return err_hint(err_new(EPERM, "it belongs to another user"),
				"Issue it anew, and give it to its owner.");
	return NULL;
}

err *pki_held_renew(struct arena *arena, int dir_fd, const struct pki_pair *authority,
		    const struct pki_held *h, int64_t lifetime)
{
	struct pki_request request = {
		.name = h->info.name,
		.groups = h->info.groups,
		.addresses = h->info.addresses,
		.server = h->info.server,
		.client = h->info.client,
		.lifetime = lifetime,
	};
	const struct pki_role_row *role = role_of(&h->info);
	struct pki_pair pair;
	char stem[NAME_MAX];

	TRY(check_place(h));
	TRY(pki_issue(arena, authority, &request, &pair));
	if (h->is_config) {
		TRY(pki_dir_write_config(arena, dir_fd, h->file, h->config.server, h->config.name, &pair));
		if (h->file[0] != '/' || !role)
			return NULL;
		return pki_held_note(arena, dir_fd, h->file, (enum pki_role)(role - pki_roles), h->info.name,
				     pair.cert);
	}
	snprintf(stem, sizeof(stem), "%.*s", (int)(strlen(h->file) - strlen(".crt")), h->file);
	return pki_dir_write(dir_fd, stem, &pair);
}

/* A moment that a certificate of this authority can still reach: none outlives it. */
static bool is_due(const struct pki_held *h, const struct pki_info *authority, int64_t before)
{
	int64_t left = h->info.ends - clock_real();

	return left <= 0 || (left < before && h->info.ends + before / 30 < authority->ends);
}

err *pki_held_keep(struct arena *arena, int dir_fd, const char *file, bool *ret_renewed)
{
	struct pki_held held, ca;
	struct pki_pair pair;
	char when[CLOCK_TEXT_MAX];

	*ret_renewed = false;
	TRY(pki_held_read(arena, dir_fd, file, &held));
	TRY(pki_held_read(arena, dir_fd, "ca.crt", &ca));
	bool ended = held.info.ends <= clock_real();
	if (ca.info.ends <= clock_real())
		return err_hint(err_new(EKEYEXPIRED, "the authority has ended: %s",
					clock_text(ca.info.ends, false, when)),
				"Move the folder away: `stube up` makes a new authority, and a new file for "
				"everybody.");
	if (!is_due(&held, &ca.info, PKI_RENEW_BEFORE))
		return NULL;
	err *e = pki_dir_pair(arena, dir_fd, "ca", &pair);
	if (!e)
		e = pki_held_renew(arena, dir_fd, &pair, &held, PKI_LIFETIME);
	*ret_renewed = !e;
	if (!e)
		return NULL;
	if (!ended) { /* it holds for a while: there is time to see to it */
		auto_str struct str why = STR_INIT(4096);
		err_format(e, &why);
		fprintf(stderr, "warning: '%s' ends %s and cannot be renewed: %s\n", file,
			clock_text(held.info.ends, false, when), why.data);
		err_free(e);
		return NULL;
	}
	return err_hint(err_wrap(e, "'%s' has ended: %s", file, clock_text(held.info.ends, false, when)),
			"Only the authority's key, ca.key in that folder, renews it.");
}
