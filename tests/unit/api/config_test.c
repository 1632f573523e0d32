/* tests/unit/api/config_test.c: kubeconfig files: where they are found, what is understood, what is refused. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/config.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

#define PEM(name) "-----BEGIN " name "-----\nAAAA\n-----END " name "-----\n"

static struct arena *arena;
static char dir[] = "/tmp/stube-config-XXXXXX";
static int dir_fd = -1;

static int setup(void **state)
{
	(void)state;
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	assert_ok(arena_new(16 << 20, &arena));
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	setenv("HOME", dir, 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("STUBE_CONFIG");
	return dir_fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	fd_clear(&dir_fd);
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(path_remove_all(tmp, dir + strlen("/tmp/")));
	return 0;
}

static void put(const char *name, const char *text, mode_t mode)
{
	assert_ok(file_replace_volatile(dir_fd, name, text, strlen(text), mode));
}

static const char *full(const char *name)
{
	const char *path = arena_printf(arena, "%s/%s", dir, name);

	assert_non_null(path);
	return path;
}

static err *parse(const char *text, struct api_config *ret)
{
	return api_config_parse(arena, "config", text, strlen(text), dir_fd, ret);
}

static void test_what_kubectl_writes_is_understood(void **state)
{
	(void)state;
	struct api_config c = { 0 };

	put("admin.key", PEM("PRIVATE KEY"), 0600);
	put("admin.crt", PEM("CERTIFICATE"), 0644);
	assert_ok(parse("apiVersion: v1\n"
			"kind: Config\n"
			"preferences: {}\n"
			"current-context: amt\n"
			"clusters:\n"
			"- name: other\n"
			"  cluster: {server: 'https://10.0.0.9'}\n"
			"- name: amt\n"
			"  cluster:\n"
			"    certificate-authority-data: LS0tLS1CRUdJTiBYLS0tLS0K\n"
			"    server: https://10.0.0.1:6443\n"
			"    insecure-skip-tls-verify: false\n"
			"    extensions: [{name: x, extension: {}}]\n"
			"contexts:\n"
			"- name: amt\n"
			"  context: {cluster: amt, user: admin, namespace: antrag}\n"
			"users:\n"
			"- name: admin\n"
			"  user: {client-certificate: admin.crt, client-key: admin.key, token: ''}\n", &c));
	assert_string_equal(c.name, "amt");
	assert_string_equal(c.server, "https://10.0.0.1:6443");
	assert_string_equal(c.namespace, "antrag");
	assert_string_equal(c.ca, "-----BEGIN X-----\n");
	assert_string_equal(c.cert, PEM("CERTIFICATE"));
	assert_string_equal(c.key, PEM("PRIVATE KEY"));
}

static void test_the_only_context_needs_no_name(void **state)
{
	(void)state;
	struct api_config c = { 0 };

	assert_ok(parse("{apiVersion: v1, kind: Config, clusters: [{name: a, cluster: {server: 'unix:///run/x.sock'}}],"
			" contexts: [{name: b, context: {cluster: a}}]}", &c));
	assert_string_equal(c.server, "unix:///run/x.sock");
	assert_string_equal(c.namespace, "default");
	assert_null(c.ca);
	assert_null(c.key);
}

#define HEAD    "apiVersion: v1\nkind: Config\n"
#define CONTEXT "contexts: [{name: c, context: {cluster: c, user: u}}]\n"
#define CLUSTER "clusters: [{name: c, cluster: {server: 'https://h'}}]\n"

static void test_what_is_not_understood_is_refused_by_name(void **state)
{
	(void)state;
	static const struct { const char *text, *error; } rows[] = {
		{ "", "config: is empty" },
		{ "a: 1\n---\nb: 1\n", "config: more than one document" },
		{ "kind: Config\n", "config:1:1: apiVersion: required but missing" },
		{ "apiVersion: v1\nkind: Pod\n", "config:2:7: kind: 'Pod' is not 'Config'" },
		{ HEAD "contxts: []\n", "config:3:10: contxts: unknown field" },
		{ HEAD, "config: current-context: required but missing" },
		{ HEAD "current-context: x\n", "config: current-context: there is no context 'x'" },
		{ HEAD CONTEXT, "config: context 'c': there is no cluster 'c'" },
		{ HEAD CONTEXT CLUSTER, "config: context 'c': there is no user 'u'" },
		{ HEAD "users:\n- {name: u, user: {token: secret}}\n", "config:4:27: users[0].user.token: is not supported" },
		{ HEAD "users:\n- name: u\n  user: {exec: {command: x}}\n", "config:5:16: users[0].user.exec: is not supported" },
		{ HEAD "users:\n- {name: u, user: {auth-provider: {name: x}}}\n",
		  "config:4:35: users[0].user.auth-provider: is not supported" },
		{ HEAD "clusters:\n- {name: c, cluster: {server: 'https://h', insecure-skip-tls-verify: true}}\n",
		  "config:4:70: clusters[0].cluster.insecure-skip-tls-verify: is not supported" },
		{ HEAD "clusters: [{name: c, cluster: {server: 'http://10.0.0.1'}}]\n",
		  "config:3:40: clusters[0].cluster.server: 'http://10.0.0.1' is without TLS, which may lead to this machine only" },
		{ HEAD "clusters: [{name: c, cluster: {server: 'ftp://x'}}]\n",
		  "config:3:40: clusters[0].cluster.server: 'ftp://x' is no https:// or unix:// address" },
		{ HEAD "clusters: [{name: c, cluster: {server: 'unix://x'}}]\n",
		  "config:3:40: clusters[0].cluster.server: 'unix://x' names no absolute path of a socket" },
		{ HEAD CONTEXT CLUSTER "users: [{name: u, user: {client-key-data: '*'}}]\n",
		  "config: client-key-data: is not base64" },
		{ HEAD CONTEXT CLUSTER "users: [{name: u, user: {client-key-data: AAAA}}]\n",
		  "config: client-key: holds no PEM text" },
		{ HEAD CONTEXT CLUSTER "users: [{name: u, user: {client-key-data: LS0tLS1CRUdJTiBYLS0tLS0K}}]\n",
		  "config: user 'u': client-key without client-certificate" },
		{ HEAD CONTEXT CLUSTER "users: [{name: u, user: {client-certificate: missing.crt}}]\n",
		  "config: client-certificate 'missing.crt': cannot open: No such file or directory" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct api_config c = { 0 };
		assert_err(parse(rows[i].text, &c), rows[i].error);
		assert_null(c.server);
	}
}

static void test_a_key_that_others_may_read_is_refused(void **state)
{
	(void)state;
	struct api_config c = { 0 };
	static const char text[] = HEAD CONTEXT CLUSTER
		"users: [{name: u, user: {client-certificate: u.crt, client-key: u.key}}]\n";
	static const char embedded[] = HEAD CONTEXT CLUSTER
		"users: [{name: u, user: {client-certificate: u.crt, client-key-data: LS0tLS1CRUdJTiBYLS0tLS0K}}]\n";

	put("u.crt", PEM("CERTIFICATE"), 0644);
	put("u.key", PEM("PRIVATE KEY"), 0640);
	assert_err(parse(text, &c), "config: client-key 'u.key': holds a private key, but others than its owner may read or "
				    "change it (mode 0640)");
	assert_err_code(parse(text, &c), EPERM);
	put("embedded", embedded, 0644);
	auto_str struct str expected = STR_INIT(4096);
	str_addf(&expected, "configuration '%s/embedded': holds a private key, but others than its owner may read or change it "
			    "(mode 0644)", dir);
	assert_err(api_config_load(arena, full("embedded"), NULL, &c), expected.data);
	assert_int_equal(chmod(full("embedded"), 0600), 0);
	assert_ok(api_config_load(arena, full("embedded"), NULL, &c));
	put("open", text, 0644); /* holds no key itself */
	assert_int_equal(chmod(full("u.key"), 0400), 0);
	assert_ok(api_config_load(arena, full("open"), NULL, &c));
}

static void put_server(const char *name, const char *server)
{
	auto_str struct str text = STR_INIT(4096);

	str_addf(&text, HEAD "contexts: [{name: c, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: '%s'}}]\n",
		 server);
	put(name, text.data, 0644);
}

static void test_the_first_place_that_has_one_counts(void **state)
{
	(void)state;
	struct api_config c = { 0 };
	auto_close int sock = -1;
	auto_close int made = -1;

	if (access("/etc/stube/admin.conf", F_OK) != 0) {
		auto_err err *e = api_config_load(arena, NULL, dir, &c);
		assert_non_null(e);
		assert_int_equal(e->code, ENOENT);
		assert_string_equal(err_first_hint(e), "`stube up` starts a cluster on this machine.");
	}
	assert_ok(fd_unix_listen(full("scheduler.sock"), SOCK_STREAM, 0600, &sock));
	assert_ok(api_config_load(arena, NULL, dir, &c));
	assert_string_equal(c.name, "local");
	assert_true(str_starts_with(c.server, "unix:///tmp/stube-config-"));
	assert_string_equal(c.run_dir, dir);

	assert_ok(path_make_dirs(dir_fd, ".config/stube", 0700, &made));
	put_server(".config/stube/config", "https://home");
	assert_ok(api_config_load(arena, NULL, dir, &c));
	assert_string_equal(c.server, "https://home");

	put_server("environment", "https://environment");
	setenv("STUBE_CONFIG", full("environment"), 1);
	assert_ok(api_config_load(arena, NULL, dir, &c));
	assert_string_equal(c.server, "https://environment");

	put_server("given", "https://given");
	assert_ok(api_config_load(arena, full("given"), dir, &c));
	assert_string_equal(c.server, "https://given");
	assert_err_code(api_config_load(arena, full("missing"), dir, &c), ENOENT);
	setenv("STUBE_CONFIG", full("missing"), 1);
	assert_err_code(api_config_load(arena, NULL, dir, &c), ENOENT);
}

static void test_what_is_written_is_read_back(void **state)
{
	(void)state;
	static const struct api_config out = {
		.name = "amt", .server = "https://10.0.0.1:6443", .namespace = "antrag", .ca = PEM("CERTIFICATE"),
		.cert = PEM("CERTIFICATE"), .key = PEM("PRIVATE KEY"),
	};
	auto_str struct str text = STR_INIT(1 << 20);
	struct api_config c = { 0 };

	api_config_write(&text, &out);
	assert_ok(str_check(&text));
	assert_true(str_starts_with(text.data, "apiVersion: v1\nkind: Config\nclusters:\n- name: amt\n  cluster:\n"
					       "    server: https://10.0.0.1:6443\n    certificate-authority-data: LS0t"));
	assert_ok(parse(text.data, &c));
	assert_string_equal(c.name, out.name);
	assert_string_equal(c.server, out.server);
	assert_string_equal(c.namespace, out.namespace);
	assert_string_equal(c.ca, out.ca);
	assert_string_equal(c.cert, out.cert);
	assert_string_equal(c.key, out.key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_kubectl_writes_is_understood, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_only_context_needs_no_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_understood_is_refused_by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_key_that_others_may_read_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_first_place_that_has_one_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_written_is_read_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
