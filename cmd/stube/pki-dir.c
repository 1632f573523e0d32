/* cmd/stube/pki-dir.c: a cluster's certificates as files in one folder. */
#include "cmd/stube/pki.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"

#define PEM_MAX (64 << 10)

/* ---- the folder ---- */

err *pki_dir_open(const char *path, bool make, int *ret_fd)
{
	if (make)
		TRY(path_mkdir_all(path, 0700));
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0)
		return err_hint(err_errno("open the folder of certificates '%s'", path), "Make it with: stube pki init --dir %s", path);
	return NULL;
}

err *pki_dir_read(struct arena *arena, int dir_fd, const char *name, const char **ret)
{
	auto_str struct str text = STR_INIT(PEM_MAX);

	TRY(file_read(dir_fd, name, &text));
	TRY_ALLOC(arena, *ret, arena_strdup(arena, text.data));
	explicit_bzero(text.data, text.len);
	return NULL;
}

/* The key before the certificate: one without the other is then never taken for a pair. */
err *pki_dir_write(int dir_fd, const char *stem, const struct pki_pair *pair)
{
	char name[NAME_MAX];

	snprintf(name, sizeof(name), "%.200s.key", stem);
	TRY(file_replace(dir_fd, name, pair->key, strlen(pair->key), 0600));
	snprintf(name, sizeof(name), "%.200s.crt", stem);
	return file_replace(dir_fd, name, pair->cert, strlen(pair->cert), 0644);
}

err *pki_dir_pair(struct arena *arena, int dir_fd, const char *stem, struct pki_pair *ret)
{
	char name[NAME_MAX];

	snprintf(name, sizeof(name), "%.200s.crt", stem);
	TRY(pki_dir_read(arena, dir_fd, name, &ret->cert));
	snprintf(name, sizeof(name), "%.200s.key", stem);
	return pki_dir_read(arena, dir_fd, name, &ret->key);
}

err *pki_dir_init(struct arena *arena, int dir_fd, int64_t lifetime)
{
	struct pki_pair authority;
	struct stat st;

	if (fstatat(dir_fd, "ca.crt", &st, 0) == 0 || fstatat(dir_fd, "ca.key", &st, 0) == 0)
		return err_new(EEXIST, "there is an authority already");
	TRY(pki_authority(arena, "stube", lifetime, &authority));
	return pki_dir_write(dir_fd, "ca", &authority);
}

/* ---- issuing ---- */

/* clang-format off */
const struct pki_role_row pki_roles[PKI_ROLE_COUNT] = {
	[PKI_SCHEDULER] = { "scheduler", "",             { NULL },             true,  false, "scheduler" },
	[PKI_NODE] = { "node", "system:node:", { "system:nodes" },   true,  true,  "node" },
	[PKI_ADMIN] = { "admin", "",             { "system:masters" }, false, true,  "admin" },
	[PKI_VIEWER] = { "viewer", "",             { "stube:viewers" },  false, true,  "viewer" },
};
/* clang-format on */

err *pki_dir_write_config(struct arena *arena, int dir_fd, const char *file, const char *server, const char *name,
			 const struct pki_pair *pair)
{
	auto_str struct str text = STR_INIT(1 << 20);
	struct api_config config = { .name = name, .server = server, .namespace = "default", .cert = pair->cert, .key = pair->key };

	TRY(pki_dir_read(arena, dir_fd, "ca.crt", &config.ca));
	api_config_write(&text, &config);
	TRY(str_check(&text));
	err *e = file_replace(file[0] == '/' ? AT_FDCWD : dir_fd, file, text.data, text.len, 0600);
	explicit_bzero(text.data, text.len);
	return e;
}

err *pki_dir_issue(struct arena *arena, int dir_fd, const struct pki_order *order, const char **ret_file)
{
	const struct pki_role_row *role = &pki_roles[order->role];
	struct pki_request request = {
		.groups = role->groups, .addresses = order->addresses, .server = role->server, .client = role->client,
		.lifetime = order->lifetime ? order->lifetime : PKI_LIFETIME,
	};
	struct pki_pair authority, pair;

	TRY(err_wrap(pki_dir_pair(arena, dir_fd, "ca", &authority), "the authority"));
	TRY_ALLOC(arena, request.name, arena_printf(arena, "%s%s", role->name_prefix, order->name));
	TRY(pki_issue(arena, &authority, &request, &pair));
	if (order->role == PKI_SCHEDULER) {
		*ret_file = "scheduler.crt";
		return pki_dir_write(dir_fd, role->stem, &pair);
	}
	if (order->file)
		*ret_file = order->file;
	else
		TRY_ALLOC(arena, *ret_file, arena_printf(arena, "%s-%s.conf", role->stem, order->name));
	TRY(pki_dir_write_config(arena, dir_fd, *ret_file, order->server, order->name, &pair));
	return (*ret_file)[0] == '/'
		       ? pki_held_note(arena, dir_fd, *ret_file, order->role, request.name, pair.cert)
		       : NULL;
}
