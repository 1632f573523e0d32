/* registry/auth.c: credentials of the user, looked up in the files of containers and docker. */
#include "registry/auth.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"
#include "registry/auth-internal.h"

void auth_done(struct auth *a)
{
	if (!a)
		return;
	if (a->secret)
		explicit_bzero(a->secret, strlen(a->secret));
	free(a->username);
	free(a->secret);
	free(a->source);
	*a = (struct auth){ 0 };
}

err *auth_files(const char *file, struct strv *files)
{
	const char *fixed = file ? file : getenv("REGISTRY_AUTH_FILE");
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *config = getenv("XDG_CONFIG_HOME");
	const char *docker = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
	if (fixed && *fixed) {
		strv_add(files, fixed);
		return strv_check(files);
	}
	if (runtime && *runtime)
		strv_addf(files, "%s/containers/auth.json", runtime);
	else if (getuid() == 0)
		strv_addf(files, "/run/containers/0/auth.json");
	if (config && *config)
		strv_addf(files, "%s/containers/auth.json", config);
	else if (home && *home)
		strv_addf(files, "%s/.config/containers/auth.json", home);
	if (docker && *docker)
		strv_addf(files, "%s/config.json", docker);
	else if (home && *home)
		strv_addf(files, "%s/.docker/config.json", home);
	if (!files->count && !files->failed)
		return err_new(ENOENT, "no place for an auth file: neither HOME nor XDG_RUNTIME_DIR is set");
	return strv_check(files);
}

/* Old files have URLs for keys: "https://host/v1/". */
bool auth_key_equal(const char *in_file, const char *key)
{
	size_t len = strlen(in_file);
	bool url = false;
	static const char *const schemes[] = { "https://", "http://" };
	for (size_t i = 0; i < ARRAY_LEN(schemes) && !url; i++)
		if (str_starts_with(in_file, schemes[i])) {
			in_file += strlen(schemes[i]);
			len = strcspn(in_file, "/");
			url = true;
		}
	while (len && in_file[len - 1] == '/')
		len--;
	if (!strcmp(key, "docker.io") &&
	    ((len == 15 && !strncmp(in_file, "index.docker.io", 15)) ||
	     (len == 20 && !strncmp(in_file, "registry-1.docker.io", 20))))
		return true;
	return len == strlen(key) && !strncmp(in_file, key, len);
}

static const struct json *find(const json *object, const char *key)
{
	if (!object || object->kind != JSON_OBJECT)
		return NULL;
	for (size_t i = 0; i < object->object.count; i++)
		if (auth_key_equal(object->object.members[i].key, key))
			return object->object.members[i].value;
	return NULL;
}

static bool shorten(char *key)
{
	char *slash = strrchr(key, '/');
	if (slash)
		*slash = 0;
	return slash != NULL;
}

/* name:password; the name ends at the first colon. */
static err *take_basic(const char *encoded, struct auth *a)
{
	auto_str struct str plain = STR_INIT(AUTH_SECRET_MAX);
	bool good = base64_decode(encoded, &plain) && !plain.failed && !memchr(plain.data, 0, plain.len);
	char *colon = good ? strchr(plain.data, ':') : NULL;
	if (colon) {
		*colon = 0;
		a->kind = AUTH_BASIC;
		a->username = strdup(plain.data);
		a->secret = strdup(colon + 1);
	}
	explicit_bzero(plain.data, plain.len);
	if (!colon)
		return err_new(EINVAL, "'auth' is not base64 of NAME:PASSWORD");
	return a->username && a->secret ? NULL : err_oom();
}

static err *take_secret(enum auth_kind kind, const char *secret, struct auth *a)
{
	a->kind = kind;
	a->secret = strdup(secret);
	return a->secret ? NULL : err_oom();
}

static err *take_entry(const json *entry, struct auth *a)
{
	const char *basic = json_get_string(entry, "auth");
	const char *identity = json_get_string(entry, "identitytoken");
	const char *bearer = json_get_string(entry, "registrytoken");
	if (entry->kind != JSON_OBJECT)
		return err_new(EINVAL, "expected object, got %s", json_kind_name(entry->kind));
	if (bearer && *bearer)
		return take_secret(AUTH_BEARER, bearer, a);
	if (identity && *identity)
		return take_secret(AUTH_IDENTITY, identity, a);
	if (basic && *basic)
		return take_basic(basic, a);
	const char *username = json_get_string(entry, "username");
	const char *password = json_get_string(entry, "password");
	if (!username || !*username || !password)
		return NULL;
	TRY(take_secret(AUTH_BASIC, password, a));
	a->username = strdup(username);
	return a->username ? NULL : err_oom();
}

/* The entry of `auths` for the longest key that covers host/repository. */
static err *take_auths(const char *name, const json *auths, char *key, struct auth *a)
{
	const json *entry;
	do
		entry = find(auths, key);
	while (!entry && shorten(key));
	if (!entry)
		return NULL;
	TRY(err_wrap(take_entry(entry, a), "%s:%u: key '%s'", name, entry->line, key));
	if (a->kind == AUTH_NONE)
		return NULL;
	auto_str struct str source = STR_INIT(8192);
	str_addf(&source, "%s, key '%s'", name, key);
	a->source = str_take(&source);
	return a->source ? NULL : err_oom();
}

static err *take_helper(const char *name, const json *tree, char *key, struct str *helper)
{
	const json *helpers = json_get(tree, "credHelpers"), *entry;
	do
		entry = find(helpers, key);
	while (!entry && shorten(key));
	if (!entry)
		entry = json_get(tree, "credsStore");
	if (!entry || entry->kind == JSON_NULL)
		return NULL;
	if (entry->kind != JSON_STRING)
		return err_new(EINVAL, "%s:%u: expected a helper's name, got %s", name, entry->line,
			       json_kind_name(entry->kind));
	str_add(helper, entry->text);
	return str_check(helper);
}

static err *parse_tree(struct arena *arena, const char *name, const char *text, size_t len, json **tree)
{
	TRY(json_parse(arena, name, text, len, tree));
	if ((*tree)->kind != JSON_OBJECT)
		return err_new(EINVAL, "%s: expected object, got %s", name, json_kind_name((*tree)->kind));
	const json *auths = json_get(*tree, "auths");
	if (auths && auths->kind != JSON_OBJECT && auths->kind != JSON_NULL)
		return err_new(EINVAL, "%s:%u: auths: expected object, got %s", name, auths->line,
			       json_kind_name(auths->kind));
	return NULL;
}

err *auth_helper_of(const char *name, const char *text, size_t len, const char *key, struct str *ret)
{
	auto_arena struct arena *arena = NULL;
	json *tree;
	TRY(arena_new(32 * AUTH_FILE_MAX, &arena));
	TRY(parse_tree(arena, name, text, len, &tree));
	auto_free char *copy = strdup(key);
	return copy ? take_helper(name, tree, copy, ret) : err_oom();
}

err *auth_parse(const char *name, const char *text, size_t len, const char *host, const char *repository,
		struct auth *ret, struct str *helper)
{
	auto_arena struct arena *arena = NULL;
	auto_auth struct auth a = { 0 };
	json *tree;
	TRY(arena_new(32 * AUTH_FILE_MAX, &arena));
	TRY(parse_tree(arena, name, text, len, &tree));
	auto_str struct str key = STR_INIT(4096), again = STR_INIT(4096);
	str_addf(&key, "%s%s%s", host, *repository ? "/" : "", repository);
	str_add(&again, key.data);
	TRY(str_check(&key));
	TRY(str_check(&again));
	TRY(take_auths(name, json_get(tree, "auths"), key.data, &a));
	if (helper)
		TRY(take_helper(name, tree, again.data, helper));
	*ret = a;
	a = (struct auth){ 0 };
	return NULL;
}

static err *find_in_file(const char *path, const char *host, const char *repository, struct auth *ret)
{
	auto_str struct str text = STR_INIT(AUTH_FILE_MAX), helper = STR_INIT(256);
	auto_auth struct auth written = { 0 }, kept = { 0 };
	auto_err err *missing = file_read(AT_FDCWD, path, &text);
	if (missing && (missing->code == ENOENT || missing->code == ENOTDIR || missing->code == EACCES))
		return NULL;
	if (missing)
		return TAKE(missing);
	err *e = auth_parse(path, text.data, text.len, host, repository, &written, &helper);
	explicit_bzero(text.data, text.len);
	TRY(e);
	if (helper.len)
		TRY(err_wrap(helper_get(helper.data, helper_server(host), &kept), "%s", path));
	struct auth *found = kept.kind != AUTH_NONE ? &kept : &written;
	*ret = *found;
	*found = (struct auth){ 0 };
	return NULL;
}

err *auth_find(const char *file, const char *host, const char *repository, struct auth *ret)
{
	auto_strv struct strv files = STRV_INIT(8);
	*ret = (struct auth){ 0 };
	auto_err err *nowhere = auth_files(file, &files);
	if (nowhere)
		return nowhere->code == ENOENT ? NULL : TAKE(nowhere);
	for (size_t i = 0; i < files.count && ret->kind == AUTH_NONE; i++)
		TRY(err_wrap(find_in_file(files.items[i], host, repository, ret), "credentials"));
	return NULL;
}
