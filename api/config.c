/* api/config.c: how to reach a cluster: found, read from the subset of kubeconfig files, written. */
#include "api/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/yaml.h"
#include "base/base64.h"
#include "base/decode.h"
#include "base/fd.h"
#include "net/address.h"
#include "net/url.h"

#define CONFIG_SIZE_MAX (1u << 20)
#define PEM_SIZE_MAX	(256u << 10)
#define ADMIN_CONFIG	"/etc/stube/admin.conf"
#define UNIX_SCHEME	"unix://"

/* ---- the file as tables ---- */

struct cluster {
	const char *server, *ca, *ca_data;
};
struct named_cluster {
	const char *name;
	struct cluster cluster;
};
struct user {
	const char *cert, *cert_data, *key, *key_data;
};
struct named_user {
	const char *name;
	struct user user;
};
struct context {
	const char *cluster, *user, *namespace;
};
struct named_context {
	const char *name;
	struct context context;
};
struct kubeconfig {
	const char *api_version, *kind;
	LIST(struct named_cluster) clusters;
	LIST(struct named_user) users;
	LIST(struct named_context) contexts;
	const char *current;
};

static const char *check_version(const void *value)
{
	return str_equal(*(const char *const *)value, "v1") ? NULL : "is not 'v1'";
}

static const char *check_kind(const void *value)
{
	return str_equal(*(const char *const *)value, "Config") ? NULL : "is not 'Config'";
}

static const char *check_server(const void *value)
{
	const char *text = *(const char *const *)value;
	auto_url struct url url = { 0 };

	if (str_starts_with(text, UNIX_SCHEME))
		return text[strlen(UNIX_SCHEME)] == '/' ? NULL : "names no absolute path of a socket";
	auto_err err *e = url_parse(text, &url);
	if (e)
		return "is no https:// or unix:// address";
	if (!url.origin.tls && host_reach(url.origin.host) != REACH_LOOPBACK)
		return "is without TLS, which may lead to this machine only";
	return NULL;
}

/* clang-format off */
static const struct type t_version = STRING_CHECKED("version", check_version);
static const struct type t_config_kind = STRING_CHECKED("kind", check_kind);
static const struct type t_server = STRING_CHECKED("server", check_server);

static const struct field cluster_fields[] = {
	FIELD(struct cluster, "server",                     server,  t_server,   REQUIRED, NULL),
	FIELD(struct cluster, "certificate-authority",      ca,      t_string,   0, NULL),
	FIELD(struct cluster, "certificate-authority-data", ca_data, t_string,   0, NULL),
	NOT_YET("insecure-skip-tls-verify", "false"),
	NOT_YET("tls-server-name", "\"\""),
	NOT_YET("proxy-url", "\"\""),
	KNOWN("disable-compression", IGNORED),
	KNOWN("extensions", IGNORED),
	{0}
};
static const struct type t_cluster = OBJECT_STRICT("cluster", struct cluster, cluster_fields);
static const struct field named_cluster_fields[] = {
	FIELD(struct named_cluster, "name",    name,    t_nonempty, REQUIRED, NULL),
	FIELD(struct named_cluster, "cluster", cluster, t_cluster,  REQUIRED, NULL),
	{0}
};
static const struct field user_fields[] = {
	FIELD(struct user, "client-certificate",      cert,      t_string, 0, NULL),
	FIELD(struct user, "client-certificate-data", cert_data, t_string, 0, NULL),
	FIELD(struct user, "client-key",              key,       t_string, 0, NULL),
	FIELD(struct user, "client-key-data",         key_data,  t_string, 0, NULL),
	NOT_YET("token", "\"\""),
	NOT_YET("tokenFile", "\"\""),
	NOT_YET("username", "\"\""),
	NOT_YET("password", "\"\""),
	NOT_YET("exec", "{}"),
	NOT_YET("auth-provider", "{}"),
	NOT_YET("as", "\"\""),
	NOT_YET("as-uid", "\"\""),
	NOT_YET("as-groups", "[]"),
	NOT_YET("as-user-extra", "{}"),
	KNOWN("extensions", IGNORED),
	{0}
};
static const struct type t_user = OBJECT_STRICT("user", struct user, user_fields);
static const struct field named_user_fields[] = {
	FIELD(struct named_user, "name", name, t_nonempty, REQUIRED, NULL),
	FIELD(struct named_user, "user", user, t_user,     0, NULL),
	{0}
};
static const struct field context_fields[] = {
	FIELD(struct context, "cluster",   cluster,   t_nonempty, REQUIRED, NULL),
	FIELD(struct context, "user",      user,      t_string,   0, NULL),
	FIELD(struct context, "namespace", namespace, t_string,   0, NULL),
	KNOWN("extensions", IGNORED),
	{0}
};
static const struct type t_context = OBJECT_STRICT("context", struct context, context_fields);
static const struct field named_context_fields[] = {
	FIELD(struct named_context, "name",    name,    t_nonempty, REQUIRED, NULL),
	FIELD(struct named_context, "context", context, t_context,  REQUIRED, NULL),
	{0}
};
static const struct type t_named_cluster = OBJECT_STRICT("cluster", struct named_cluster, named_cluster_fields);
static const struct type t_named_user = OBJECT_STRICT("user", struct named_user, named_user_fields);
static const struct type t_named_context = OBJECT_STRICT("context", struct named_context, named_context_fields);
static const struct type t_clusters = ARRAY_OF_MAX(t_named_cluster, 1024);
static const struct type t_users = ARRAY_OF_MAX(t_named_user, 1024);
static const struct type t_contexts = ARRAY_OF_MAX(t_named_context, 1024);
static const struct field config_fields[] = {
	FIELD(struct kubeconfig, "apiVersion",      api_version, t_version,     REQUIRED, NULL),
	FIELD(struct kubeconfig, "kind",            kind,        t_config_kind, REQUIRED, NULL),
	FIELD(struct kubeconfig, "clusters",        clusters,    t_clusters,    0, NULL),
	FIELD(struct kubeconfig, "users",           users,       t_users,       0, NULL),
	FIELD(struct kubeconfig, "contexts",        contexts,    t_contexts,    0, NULL),
	FIELD(struct kubeconfig, "current-context", current,     t_string,      0, NULL),
	KNOWN("preferences", IGNORED),
	KNOWN("extensions", IGNORED),
	{0}
};
static const struct type t_kubeconfig = OBJECT_STRICT("config", struct kubeconfig, config_fields);
/* clang-format on */

/* ---- keys and certificates ---- */

/* The bytes of PEM, wiped when the scope ends. */
static void secret_done(struct str *s)
{
	explicit_bzero(s->data, s->len);
	str_done(s);
}
DEFINE_CLEANUP_OF(struct str, secret_done)
#define auto_secret CLEANUP(secret_done)

/* Whole, with its mode: of one and the same file. */
static err *read_file(int dir_fd, const char *path, struct str *out, mode_t *ret_mode)
{
	struct stat st;
	auto_close int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno("cannot open");
	if (!S_ISREG(st.st_mode))
		return err_new(EINVAL, "is not a regular file");
	*ret_mode = st.st_mode & 07777;
	return fd_read_all(fd, out);
}

static err *check_private(mode_t mode)
{
	if (!(mode & 077))
		return NULL;
	return err_new(EPERM,
		       "holds a private key, but others than its owner may read or change it (mode %04o)",
		       (unsigned)mode);
}

static err *read_pem(int dir_fd, const char *path, bool private, struct str *out)
{
	mode_t mode;

	TRY(read_file(dir_fd, path, out, &mode));
	return private ? check_private(mode) : NULL;
}

/* One of: base64 text, the path of a file, neither. */
static err *load_pem(struct arena *arena, int dir_fd, const char *key, const char *data, const char *path,
		     bool private, const char **ret)
{
	auto_secret struct str pem = STR_INIT(PEM_SIZE_MAX);

	*ret = NULL;
	if (data && *data) {
		if (!base64_decode(data, &pem))
			return err_new(EINVAL, "%s-data: is not base64", key);
	} else if (path && *path) {
		TRY(err_wrap(read_pem(dir_fd, path, private, &pem), "%s '%s'", key, path));
	} else {
		return NULL;
	}
	TRY(err_wrap(str_check(&pem), "%s", key));
	if (!strstr(pem.data, "-----BEGIN "))
		return err_new(EINVAL, "%s: holds no PEM text", key);
	TRY_ALLOC(arena, *ret, arena_strdup(arena, pem.data));
	return NULL;
}

/* ---- from the file to what a client needs ---- */

static err *find_context(const struct kubeconfig *k, const struct named_context **ret)
{
	if (!k->current || !*k->current) {
		if (k->contexts.count != 1)
			return err_new(EINVAL, "current-context: required but missing");
		*ret = &k->contexts.items[0];
		return NULL;
	}
	for (size_t i = 0; i < k->contexts.count; i++)
		if (str_equal(k->contexts.items[i].name, k->current)) {
			*ret = &k->contexts.items[i];
			return NULL;
		}
	return err_new(EINVAL, "current-context: there is no context '%s'", k->current);
}

static err *find_cluster(const struct kubeconfig *k, const struct named_context *context,
			 const struct cluster **ret)
{
	for (size_t i = 0; i < k->clusters.count; i++)
		if (str_equal(k->clusters.items[i].name, context->context.cluster)) {
			*ret = &k->clusters.items[i].cluster;
			return NULL;
		}
	return err_new(EINVAL, "context '%s': there is no cluster '%s'", context->name,
		       context->context.cluster);
}

static err *find_user(const struct kubeconfig *k, const struct named_context *context,
		      const struct user **ret)
{
	static const struct user nobody;

	*ret = &nobody;
	if (!context->context.user || !*context->context.user)
		return NULL;
	for (size_t i = 0; i < k->users.count; i++)
		if (str_equal(k->users.items[i].name, context->context.user)) {
			*ret = &k->users.items[i].user;
			return NULL;
		}
	return err_new(EINVAL, "context '%s': there is no user '%s'", context->name, context->context.user);
}

/* ret_embedded: the file itself holds the private key. */
static err *choose(struct arena *arena, const struct kubeconfig *k, int dir_fd, struct api_config *ret,
		   bool *ret_embedded)
{
	const struct named_context *context = NULL;
	const struct cluster *cluster = NULL;
	const struct user *user = NULL;
	struct api_config config = { .namespace = "default" };

	TRY(find_context(k, &context));
	TRY(find_cluster(k, context, &cluster));
	TRY(find_user(k, context, &user));
	config.name = context->name;
	config.server = cluster->server;
	if (context->context.namespace && *context->context.namespace)
		config.namespace = context->context.namespace;
	*ret_embedded = user->key_data && *user->key_data;
	TRY(load_pem(arena, dir_fd, "certificate-authority", cluster->ca_data, cluster->ca, false,
		     &config.ca));
	TRY(load_pem(arena, dir_fd, "client-certificate", user->cert_data, user->cert, false, &config.cert));
	TRY(load_pem(arena, dir_fd, "client-key", user->key_data, user->key, true, &config.key));
	if (!config.cert != !config.key)
		return err_new(EINVAL, "user '%s': %s", context->context.user,
			       config.cert ? "client-certificate without client-key"
					   : "client-key without client-certificate");
	*ret = config;
	return NULL;
}

static err *parse(struct arena *arena, const char *name, const char *text, size_t len, int dir_fd,
		  struct api_config *ret, bool *ret_embedded)
{
	struct decoder d = { .arena = arena, .name = name };
	struct kubeconfig k;
	json **documents = NULL;
	size_t count = 0;

	TRY(yaml_parse(arena, name, text, len, &documents, &count));
	if (count != 1)
		return err_new(EINVAL, "%s: %s", name, count ? "more than one document" : "is empty");
	TRY(decode_tree(&d, &t_kubeconfig, NULL, documents[0], &k));
	return err_wrap(choose(arena, &k, dir_fd, ret, ret_embedded), "%s", name);
}

err *api_config_parse(struct arena *arena, const char *name, const char *text, size_t len, int dir_fd,
		      struct api_config *ret)
{
	bool embedded;

	return parse(arena, name, text, len, dir_fd, ret, &embedded);
}

/* ---- where it lies ---- */

/* The folder that a path lies in, for relative names. */
static err *open_folder(const char *path, int *ret_fd)
{
	const char *slash = strrchr(path, '/');
	auto_free char *folder = slash ? strndup(path, MAX((size_t)(slash - path), (size_t)1)) : strdup(".");

	if (!folder)
		return err_oom();
	*ret_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? err_errno("'%s'", folder) : NULL;
}

static err *load_file(struct arena *arena, const char *path, struct api_config *ret)
{
	auto_secret struct str text = STR_INIT(CONFIG_SIZE_MAX);
	auto_close int folder = -1;
	bool embedded = false;
	mode_t mode;
	struct api_config config;

	TRY(err_wrap(read_file(AT_FDCWD, path, &text, &mode), "configuration '%s'", path));
	TRY(err_wrap(open_folder(path, &folder), "configuration '%s'", path));
	TRY(parse(arena, path, text.data, text.len, folder, &config, &embedded));
	if (embedded)
		TRY(err_hint(err_wrap(check_private(mode), "configuration '%s'", path), "chmod 600 '%s'",
			     path));
	*ret = config;
	return NULL;
}

static err *try_file(struct arena *arena, const char *path, struct api_config *ret, bool *ret_found)
{
	*ret_found = access(path, R_OK) == 0;
	return *ret_found ? load_file(arena, path, ret) : NULL;
}

static err *user_file(struct arena *arena, struct api_config *ret, bool *ret_found)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	auto_str struct str path = STR_INIT(4096);

	if (config && *config == '/')
		str_addf(&path, "%s/stube/config", config);
	else if (home && *home == '/')
		str_addf(&path, "%s/.config/stube/config", home);
	else
		return NULL;
	TRY(str_check(&path));
	return try_file(arena, path.data, ret, ret_found);
}

static err *try_socket(struct arena *arena, const char *dir, struct api_config *ret, bool *ret_found)
{
	const char *server;
	struct stat st;

	TRY_ALLOC(arena, server, arena_printf(arena, UNIX_SCHEME "%s/scheduler.sock", dir));
	const char *path = server + strlen(UNIX_SCHEME);
	if (stat(path, &st) < 0 || !S_ISSOCK(st.st_mode) || access(path, W_OK) < 0)
		return NULL;
	*ret_found = true;
	*ret = (struct api_config){ .name = "local", .server = server, .namespace = "default" };
	return NULL;
}

/* The service manager's scheduler has a folder of its own; whoever named another RUN means that one alone. */
static err *local_socket(struct arena *arena, const char *run_dir, struct api_config *ret, bool *ret_found)
{
	if (!run_dir)
		return NULL;
	TRY(try_socket(arena, run_dir, ret, ret_found));
	if (*ret_found || !str_equal(run_dir, "/run/stube"))
		return NULL;
	return try_socket(arena, "/run/stube-scheduler", ret, ret_found);
}

static err *find(struct arena *arena, const char *path, const char *run_dir, struct api_config *ret)
{
	const char *from_environment = getenv("STUBE_CONFIG");
	bool found = false;

	if (path && *path)
		return load_file(arena, path, ret);
	if (from_environment && *from_environment)
		return load_file(arena, from_environment, ret);
	TRY(user_file(arena, ret, &found));
	if (!found)
		TRY(local_socket(arena, run_dir, ret, &found));
	if (!found)
		TRY(try_file(arena, ADMIN_CONFIG, ret, &found));
	if (found)
		return NULL;
	return err_hint(
		err_new(ENOENT,
			"no cluster is known: neither --config nor $STUBE_CONFIG is set, and there is no"
			" ~/.config/stube/config, no scheduler on this machine and no " ADMIN_CONFIG
			" to be read"),
		"`stube up` starts a cluster on this machine.");
}

err *api_config_load(struct arena *arena, const char *path, const char *run_dir, struct api_config *ret)
{
	struct api_config config;

	TRY(find(arena, path, run_dir, &config));
	if (run_dir)
		TRY_ALLOC(arena, config.run_dir, arena_strdup(arena, run_dir));
	*ret = config;
	return NULL;
}

/* ---- written ---- */

static const char *encoded(struct arena *arena, const char *pem)
{
	auto_secret struct str text = STR_INIT(PEM_SIZE_MAX * 2);

	if (!pem)
		return NULL;
	base64_encode(pem, strlen(pem), &text);
	return text.failed ? NULL : arena_strdup(arena, text.data);
}

static err *write_config(struct arena *arena, const struct api_config *config, struct str *out)
{
	struct named_cluster cluster = {
		config->name, { .server = config->server, .ca_data = encoded(arena, config->ca) }
	};
	struct named_user user = { config->name,
				   { .cert_data = encoded(arena, config->cert),
				     .key_data = encoded(arena, config->key) } };
	struct named_context context = { config->name, { config->name, config->name, config->namespace } };
	struct kubeconfig k = {
		.api_version = "v1",
		.kind = "Config",
		.current = config->name,
		.clusters = { &cluster, 1 },
		.users = { &user, 1 },
		.contexts = { &context, 1 },
	};
	auto_secret struct str text = STR_INIT(CONFIG_SIZE_MAX);
	json *tree = NULL;

	encode_text(&text, &t_kubeconfig, &k, 0);
	TRY(str_check(&text));
	TRY(json_parse(arena, "configuration", text.data, text.len, &tree));
	yaml_write(out, tree);
	return NULL;
}

void api_config_write(struct str *out, const struct api_config *config)
{
	auto_arena struct arena *arena = NULL;
	auto_err err *e = arena_new(16 << 20, &arena);

	if (!e)
		e = write_config(arena, config, out);
	if (e)
		out->failed = e->code == EFBIG ? EFBIG : ENOMEM; /* as any append that does not fit */
}
