/* registry/auth-store.c: keeping and forgetting a login in an auth file or a credential helper. */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "registry/auth-internal.h"

/* An auth file, its directory locked against another login that runs at the same time. */
struct auth_file {
	char path[PATH_MAX];
	const char *name; /* last component */
	int dir_fd;
	struct str text;  /* as it was; empty when there was none */
};

static void file_close(struct auth_file *f)
{
	explicit_bzero(f->text.data, f->text.len);
	str_done(&f->text);
	fd_close(f->dir_fd);
}
DEFINE_CLEANUP_OF(struct auth_file, file_close)

static err *file_open(const char *file, struct auth_file *f)
{
	auto_strv struct strv files = STRV_INIT(8);
	TRY(auth_files(file, &files));
	const char *path = files.items[0];
	char dir[PATH_MAX];
	/* A link is followed once, here: the file it leads to is replaced, not the link. */
	if (!realpath(path, f->path)) {
		if (errno != ENOENT)
			return err_errno("auth file '%s'", path);
		if (snprintf(f->path, sizeof(f->path), "%s", path) >= (int)sizeof(f->path))
			return err_new(ENAMETOOLONG, "auth file '%.100s...'", path);
	}
	snprintf(dir, sizeof(dir), "%s", f->path);
	const char *folder = dirname(dir);
	const char *slash = strrchr(f->path, '/');
	f->name = slash ? slash + 1 : f->path;
	TRY(path_mkdir_all(folder, 0700));
	f->dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return err_errno("'%s'", folder);
	if (flock(f->dir_fd, LOCK_EX))
		return err_errno("locking '%s'", folder);
	auto_err err *e = file_read(f->dir_fd, f->name, &f->text);
	return e && e->code != ENOENT ? TAKE(e) : NULL;
}

static void write_entry(struct json_writer *w, const char *key, const char *username, const char *password)
{
	auto_str struct str plain = STR_INIT(AUTH_SECRET_MAX), encoded = STR_INIT(2 * AUTH_SECRET_MAX);
	str_addf(&plain, "%s:%s", username, password);
	base64_encode(plain.data, plain.len, &encoded);
	json_key(w, key);
	json_begin_object(w);
	json_member_string(w, "auth", encoded.data);
	json_end_object(w);
	explicit_bzero(plain.data, plain.len);
	explicit_bzero(encoded.data, encoded.len);
}

/* `auths` as it was, without what names the key; then the new entry, when there is one. */
static bool write_auths(struct json_writer *w, const json *auths, const char *key, const char *username,
			const char *password)
{
	bool had = false;
	json_key(w, "auths");
	json_begin_object(w);
	for (size_t i = 0; auths && auths->kind == JSON_OBJECT && i < auths->object.count; i++) {
		const struct json_member *m = &auths->object.members[i];
		if (auth_key_equal(m->key, key)) {
			had = true;
			continue;
		}
		json_key(w, m->key);
		json_tree(w, m->value);
	}
	if (username)
		write_entry(w, key, username, password);
	json_end_object(w);
	return had;
}

/* The file's text with the entry of `key` replaced (username NULL: removed); all else stays. */
static err *rewrite(const struct auth_file *f, const char *key, const char *username, const char *password,
		    struct str *out, bool *ret_had)
{
	auto_arena struct arena *arena = NULL;
	struct json_writer w = JSON_WRITER(out, 4);
	json *tree = NULL;
	bool written = false;
	TRY(arena_new(32 * AUTH_FILE_MAX, &arena));
	if (f->text.len)
		TRY(json_parse(arena, f->path, f->text.data, f->text.len, &tree));
	if (tree && tree->kind != JSON_OBJECT)
		return err_new(EINVAL, "%s: expected object, got %s", f->path, json_kind_name(tree->kind));
	*ret_had = false;
	json_begin_object(&w);
	for (size_t i = 0; tree && i < tree->object.count; i++) {
		const struct json_member *m = &tree->object.members[i];
		if (str_equal(m->key, "auths")) {
			*ret_had = write_auths(&w, m->value, key, username, password);
			written = true;
			continue;
		}
		json_key(&w, m->key);
		json_tree(&w, m->value);
	}
	if (!written && username)
		write_auths(&w, NULL, key, username, password);
	json_end_object(&w);
	str_add_char(out, '\n');
	return str_check(out);
}

static err *give_helper(const char *helper, const char *server, const char *username, const char *password)
{
	auto_str struct str input = STR_INIT(2 * AUTH_SECRET_MAX), answer = STR_INIT(AUTH_SECRET_MAX);
	struct json_writer w = JSON_WRITER(&input, 0);
	const char *verb = username ? "store" : "erase";
	int status = 0;
	if (username) {
		json_begin_object(&w);
		json_member_string(&w, "ServerURL", server);
		json_member_string(&w, "Username", username);
		json_member_string(&w, "Secret", password);
		json_end_object(&w);
	} else {
		str_add(&input, server);
	}
	err *e = str_check(&input);
	if (!e)
		e = helper_run(helper, verb, input.data, &answer, &status);
	explicit_bzero(input.data, input.len);
	TRY(e);
	if (status)
		return err_new(username ? EIO : ENOENT, "credential helper 'docker-credential-%s' %s: status %d: %.*s",
			       helper, verb, status, (int)strcspn(answer.data, "\n"), answer.data);
	return NULL;
}

static err *where_text(char **ret, const char *format, const char *what)
{
	auto_str struct str text = STR_INIT(PATH_MAX + 100);
	str_addf(&text, "%s'%s'", format, what);
	*ret = str_take(&text);
	return *ret ? NULL : err_oom();
}

static err *change(const char *file, const char *key, const char *username, const char *password, char **ret_where)
{
	CLEANUP(file_close) struct auth_file f = { .dir_fd = -1, .text = STR_INIT(AUTH_FILE_MAX) };
	auto_str struct str helper = STR_INIT(256), text = STR_INIT(4 * AUTH_FILE_MAX);
	bool had = false;
	TRY(file_open(file, &f));
	if (f.text.len)
		TRY(auth_helper_of(f.path, f.text.data, f.text.len, key, &helper));
	if (helper.len) {
		TRY(give_helper(helper.data, helper_server(key), username, password));
		return where_text(ret_where, "credential helper ", helper.data);
	}
	TRY(rewrite(&f, key, username, password, &text, &had));
	if (!username && !had)
		return err_new(ENOENT, "'%s' has no login for '%s'", f.path, key);
	err *e = file_replace(f.dir_fd, f.name, text.data, text.len, 0600);
	explicit_bzero(text.data, text.len);
	TRY(e);
	return where_text(ret_where, "", f.path);
}

err *auth_store(const char *file, const char *key, const char *username, const char *password, char **ret_where)
{
	if (!*username || strchr(username, ':'))
		return err_new(EINVAL, "a user name must not be empty or have a colon");
	if (strlen(username) + strlen(password) + 2 > AUTH_SECRET_MAX)
		return err_new(EFBIG, "name and password have more than %d bytes", AUTH_SECRET_MAX - 2);
	return err_wrap(change(file, key, username, password, ret_where), "keeping the login for '%s'", key);
}

err *auth_erase(const char *file, const char *key, char **ret_where)
{
	return err_wrap(change(file, key, NULL, NULL, ret_where), "logout from '%s'", key);
}
