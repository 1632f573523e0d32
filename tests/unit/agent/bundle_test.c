/* tests/unit/agent/bundle_test.c: every byte of config.json for one container; users, commands, refusals.
 * The golden documents are tests/data/bundle/NAME.json, pretty-printed; UPDATE=1 writes them anew. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/bundle.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

#define POD(spec) "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\"},\"spec\":" spec "}"
#define UNCONFINED "\"seccompProfile\":{\"type\":\"Unconfined\"}"

static struct arena *arena;
static char root_path[] = "/tmp/stube-bundle.XXXXXX";
static int root_fd = -1;

static const char *image_entrypoint[] = { "/bin/web" }, *image_cmd[] = { "--serve", "$(PORT)" };
static const char *image_env[] = { "PATH=/bin", "PORT=8080" };
static const struct oci_image_defaults image = {
	.user = "app", .env = { image_env, 2 }, .entrypoint = { image_entrypoint, 1 }, .cmd = { image_cmd, 2 },
	.working_dir = "/srv", .stop_signal = "SIGQUIT",
};


static int setup_root(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(root_path));
	root_fd = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(root_fd, "etc", 0755), 0);
	auto_close int etc = openat(root_fd, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char passwd[] = "root:x:0:0:root:/root:/bin/sh\nbroken\napp:x:1000:100::/home/app:/bin/sh\nbig:x:70000:70000::/:\n";
	const char group[] = "root:x:0:\nstaff:x:50:other,app\nadm:x:4:app\nnot:x:7:apple\n";
	assert_ok(file_replace_volatile(etc, "passwd", passwd, strlen(passwd), 0644));
	assert_ok(file_replace_volatile(etc, "group", group, strlen(group), 0644));
	return 0;
}

static int teardown_root(void **state)
{
	(void)state;
	fd_clear(&root_fd);
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(path_remove_all(tmp, root_path + strlen("/tmp/")));
	return 0;
}

static int setup(void **state)
{
	(void)state;
	assert_ok(arena_new(32 << 20, &arena));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static struct bundle_input input_of(const char *pod_text, const struct oci_image_defaults *defaults)
{
	const struct pod *pod;

	assert_ok(pod_decode(arena, "pod", pod_text, strlen(pod_text), &pod));
	return (struct bundle_input){
		.pod = pod, .image = defaults, .root_fd = root_fd, .ids = { 1073741824, 65536 },
		.dir = "/run/stube/containers/web/bundle", .volumes_dir = "/var/lib/stube/containers/web/volumes",
		.cgroups_path = "/stube/web",
	};
}

static void assert_golden(const char *name, const struct bundle_input *in)
{
	char path[256];
	struct bundle_result result;
	auto_str struct str actual = STR_INIT(1 << 20), expected = STR_INIT(1 << 20);

	assert_ok(bundle_decide(arena, in, &result));
	oci_config_encode(&actual, &result.config, 1);
	snprintf(path, sizeof(path), "tests/data/bundle/%s.json", name);
	if (getenv("UPDATE"))
		assert_ok(file_replace_volatile(AT_FDCWD, path, actual.data, actual.len, 0644));
	assert_ok(file_read(AT_FDCWD, path, &expected));
	assert_string_equal(actual.data, expected.data);
}

static void test_the_smallest_pod_is_confined_in_every_byte(void **state)
{
	(void)state;
	struct bundle_input in = input_of(POD("{\"containers\":[{\"name\":\"web\",\"image\":\"a\","
					      "\"securityContext\":{" UNCONFINED "}}]}"), &image);

	assert_golden("smallest", &in);
}

static void test_all_that_a_pod_can_ask_for_in_every_byte(void **state)
{
	(void)state;
	struct bundle_input in = input_of(
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\",\"annotations\":{\"stube/pids-limit\":\"64\"}},"
		"\"spec\":{\"hostname\":\"amt\",\"volumes\":[{\"name\":\"data\",\"emptyDir\":{}},{\"name\":\"mem\",\"emptyDir\":"
		"{\"medium\":\"Memory\",\"sizeLimit\":\"1Mi\"}},{\"name\":\"host\",\"hostPath\":{\"path\":\"/srv\"}}],"
		"\"containers\":[{\"name\":\"web\",\"command\":[\"/bin/$(WHAT)\"],\"args\":[\"$(NONE)\",\"$$(WHAT)\"],"
		"\"env\":[{\"name\":\"WHAT\",\"value\":\"run\"},{\"name\":\"PORT\",\"value\":\"1$(PORT)\"}],"
		"\"workingDir\":\"/data\",\"tty\":true,\"stdin\":true,"
		"\"resources\":{\"limits\":{\"cpu\":\"1500m\",\"memory\":\"64Mi\"},\"requests\":{\"cpu\":\"250m\"}},"
		"\"volumeMounts\":[{\"name\":\"data\",\"mountPath\":\"/data\"},{\"name\":\"mem\",\"mountPath\":\"/tmp\"},"
		"{\"name\":\"host\",\"mountPath\":\"/srv\",\"readOnly\":true}],"
		"\"securityContext\":{\"runAsUser\":7,\"runAsGroup\":8,\"readOnlyRootFilesystem\":false,"
		"\"allowPrivilegeEscalation\":true,\"capabilities\":{\"add\":[\"net_bind_service\",\"CAP_CHOWN\",\"KILL\"],"
		"\"drop\":[\"KILL\"]}," UNCONFINED "}}]}}", &image);

	assert_golden("everything", &in);
}

static void test_a_request_without_a_controller_is_placements_affair_a_limit_is_not(void **state)
{
	(void)state;
	struct bundle_result result;
	struct bundle_input in = input_of(POD("{\"containers\":[{\"name\":\"web\",\"image\":\"a\",\"resources\":{"
					      "\"requests\":{\"cpu\":\"250m\"}}}]}"), &image);

	assert_ok(bundle_decide(arena, &in, &result));
	assert_int_equal(*result.config.linux.resources.cpu->shares, 256);
	in.no_weights = true;
	assert_ok(bundle_decide(arena, &in, &result));
	assert_null(result.config.linux.resources.cpu);
	in = input_of(POD("{\"containers\":[{\"name\":\"web\",\"image\":\"a\",\"resources\":{"
			  "\"limits\":{\"cpu\":\"1\"}}}]}"), &image);
	in.no_weights = true;
	assert_ok(bundle_decide(arena, &in, &result));
	assert_int_equal(*result.config.linux.resources.cpu->quota, 100000);
}

static void test_where_memory_is_counted_a_container_out_of_it_ends_as_a_whole(void **state)
{
	(void)state;
	struct bundle_result result;
	struct bundle_input in =
		input_of(POD("{\"containers\":[{\"name\":\"web\",\"image\":\"a\"}]}"), &image);

	assert_ok(bundle_decide(arena, &in, &result));
	assert_null(string_map_get(&result.config.linux.resources.unified, "memory.oom.group"));
	in.oom_group = true;
	assert_ok(bundle_decide(arena, &in, &result));
	assert_string_equal(string_map_get(&result.config.linux.resources.unified, "memory.oom.group"), "1");
}

static void test_a_directory_in_the_hosts_network_and_ids_in_every_byte(void **state)
{
	(void)state;
	struct bundle_input in = input_of(POD("{\"hostNetwork\":true,\"hostUsers\":true,\"containers\":[{\"name\":\"web\","
					      "\"args\":[\"/bin/sh\"],\"securityContext\":{" UNCONFINED "}}]}"), NULL);

	in.network = BUNDLE_NET_HOST;
	in.ids.size = 0;
	in.cgroups_path = NULL;
	in.resolv_conf = true;
	assert_golden("host", &in);
}

static void test_a_container_joins_its_sandbox_and_mounts_a_claim_in_every_byte(void **state)
{
	(void)state;
	static const struct bundle_join join = { "/proc/7/ns/user", "/proc/7/ns/net", "/proc/7/ns/ipc",
						 "/proc/7/ns/uts" };
	static const struct bundle_claim claim = { "data", "/var/lib/stube/agent/volumes/amt/uid" };
	struct bundle_input in = input_of(
		POD("{\"volumes\":[{\"name\":\"data\",\"persistentVolumeClaim\":{\"claimName\":\"daten\"}}],"
		    "\"containers\":[{\"name\":\"side\"},{\"name\":\"web\",\"volumeMounts\":[{\"name\":"
		    "\"data\","
		    "\"mountPath\":\"/data\"}],\"securityContext\":{" UNCONFINED "}}]}"),
		&image);
	struct bundle_result result;

	in.container = 1;
	in.network = BUNDLE_NET_JOIN;
	in.join = &join;
	in.claims = &claim;
	in.claim_count = 1;
	assert_golden("sandboxed", &in);
	in.claim_count = 0;
	assert_err(bundle_decide(arena, &in, &result),
		   "volume 'data': claims are volumes of a cluster's nodes, not of a single machine");
}

static void test_the_default_filter_is_there_unless_it_is_refused(void **state)
{
	(void)state;
	struct bundle_input in = input_of(POD("{\"containers\":[{\"name\":\"web\"}]}"), &image);
	struct bundle_result result;

	assert_ok(bundle_decide(arena, &in, &result));
	assert_non_null(result.config.linux.seccomp);
	assert_int_equal(result.config.linux.seccomp->default_action, OCI_ACT_ERRNO);
	assert_string_equal(result.stop_signal, "SIGQUIT");
}

static void test_a_joined_network_cannot_mount_its_own_sysfs(void **state)
{
	(void)state;
	struct bundle_input in = input_of(POD("{\"containers\":[{\"name\":\"web\"}]}"), &image);
	struct bundle_result result;
	bool bound = false;

	in.network = BUNDLE_NET_JOIN;
	in.netns_path = "/proc/1/ns/net";
	assert_ok(bundle_decide(arena, &in, &result));
	for (size_t i = 0; i < result.config.mounts.count; i++)
		bound |= str_equal(result.config.mounts.items[i].source, "/sys");
	assert_true(bound);
	assert_int_equal(result.config.linux.sysctl.count, 0);
}

static void test_users_by_name_and_number(void **state)
{
	(void)state;
	static const struct { const char *text; uint32_t uid, gid; size_t groups; const char *home; } rows[] = {
		{ "root", 0, 0, 0, "/root" },      { "app", 1000, 100, 2, "/home/app" },
		{ "1000", 1000, 100, 2, "/home/app" }, { "4711", 4711, 0, 0, "/" },
		{ "app:staff", 1000, 50, 0, "/home/app" }, { "0:4", 0, 4, 0, "/root" },
		{ "4711:4712", 4711, 4712, 0, "/" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bundle_user u;
		assert_ok(bundle_user_find(arena, root_fd, rows[i].text, &u));
		assert_int_equal(u.uid, rows[i].uid);
		assert_int_equal(u.gid, rows[i].gid);
		assert_int_equal(u.groups.count, rows[i].groups);
		assert_string_equal(u.home, rows[i].home);
	}
}

static void test_users_that_are_refused(void **state)
{
	(void)state;
	static const struct { const char *text, *error; } rows[] = {
		{ "nobody", "there is no user 'nobody' in the image's /etc/passwd" },
		{ "app:wheel", "there is no group 'wheel' in the image's /etc/group" },
		{ "4294967295", "there is no user '4294967295' in the image's /etc/passwd" },
		{ "-1", "there is no user '-1' in the image's /etc/passwd" },
		{ "1x", "there is no user '1x' in the image's /etc/passwd" },
		{ "", "user '': a name or number is missing" },
		{ "app:", "user 'app:': a name or number is missing" },
		{ ":0", "user ':0': a name or number is missing" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bundle_user u;
		assert_err(bundle_user_find(arena, root_fd, rows[i].text, &u), rows[i].error);
	}
	/* An image may say anything; an error stays one readable line. */
	char text[4096];
	struct bundle_user u;
	memset(text, 'A', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_err(bundle_user_find(arena, root_fd, text, &u),
		   "user 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA...' has more than 512 bytes");
}

static void test_a_passwd_that_is_no_file_or_leads_outside_is_not_followed(void **state)
{
	(void)state;
	struct bundle_user u;
	auto_close int etc = openat(root_fd, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(renameat(etc, "passwd", etc, "kept"), 0);
	/* In the root, this link leads to the root's own /etc/passwd, which is itself. */
	assert_int_equal(symlinkat("/etc/passwd", etc, "passwd"), 0);
	assert_err_code(bundle_user_find(arena, root_fd, "daemon", &u), ELOOP);
	assert_int_equal(unlinkat(etc, "passwd", 0), 0);
	assert_int_equal(mkfifoat(etc, "passwd", 0600), 0);
	assert_err(bundle_user_find(arena, root_fd, "app", &u), "the image's /etc/passwd is not a regular file");
	assert_int_equal(unlinkat(etc, "passwd", 0), 0);
	assert_err(bundle_user_find(arena, root_fd, "app", &u), "there is no user 'app' in the image's /etc/passwd");
	assert_int_equal(renameat(etc, "kept", etc, "passwd"), 0);
}

static void test_pods_that_cannot_become_a_bundle(void **state)
{
	(void)state;
	static const struct { const char *pod, *user, *error; } rows[] = {
		{ POD("{\"containers\":[{\"name\":\"web\",\"securityContext\":{\"runAsNonRoot\":true}}]}"), "root",
		  "runAsNonRoot, but the user 'root' is root" },
		{ POD("{\"containers\":[{\"name\":\"web\"}]}"), "big",
		  "user 70000:70000 is not among the 65536 ids of the container's user namespace" },
		{ POD("{\"containers\":[{\"name\":\"web\",\"securityContext\":{\"capabilities\":{\"add\":[\"ALL\"]}}}]}"), NULL,
		  "securityContext.capabilities.add: 'ALL' is not supported: list what is needed" },
		{ POD("{\"containers\":[{\"name\":\"web\",\"securityContext\":{\"capabilities\":{\"drop\":[\"FLY\"]}}}]}"), NULL,
		  "securityContext.capabilities.drop[0]: unknown capability 'FLY'" },
		{ POD("{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{\"sizeLimit\":\"1Mi\"}}],\"containers\":[{\"name\":\"web\","
		      "\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"}]}]}"), NULL,
		  "volume 'v': sizeLimit is only supported with medium: Memory" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bundle_input in = input_of(rows[i].pod, &image);
		struct bundle_result result;
		in.user = rows[i].user;
		assert_err(bundle_decide(arena, &in, &result), rows[i].error);
	}
	struct bundle_input empty = input_of(POD("{\"containers\":[{\"name\":\"web\"}]}"), NULL);
	struct bundle_result result;
	assert_err(bundle_decide(arena, &empty, &result),
		   "there is nothing to run: neither the Pod nor the image names a command");
	static char names[5000][8];
	static const char *variables[ARRAY_LEN(names)];
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(names[i], sizeof(names[i]), "V%zu=", i);
		variables[i] = names[i];
	}
	struct oci_image_defaults crowded = image;
	crowded.env = (struct strings){ variables, ARRAY_LEN(variables) };
	struct bundle_input many = input_of(POD("{\"containers\":[{\"name\":\"web\"}]}"), &crowded);
	assert_err(bundle_decide(arena, &many, &result), "environment: list grows over its limit of 4096 entries");
	struct bundle_input limited = input_of(POD("{\"containers\":[{\"name\":\"web\",\"resources\":{\"limits\":"
						   "{\"memory\":\"1Mi\"}}}]}"), &image);
	limited.cgroups_path = NULL;
	assert_err(bundle_decide(arena, &limited, &result), "a limit needs a cgroup, and cgroups are disabled");
}

static void test_an_exec_session_keeps_the_containers_confinement(void **state)
{
	(void)state;
	struct bundle_input in = input_of(POD("{\"containers\":[{\"name\":\"web\",\"securityContext\":{\"capabilities\":"
					      "{\"add\":[\"CHOWN\"]}," UNCONFINED "}}]}"), &image);
	struct bundle_result result;
	const struct oci_process *p;
	const char *words[] = { "id" };
	const struct strings args = { words, 1 };
	struct bundle_exec exec = { .args = &args, .root_fd = root_fd };

	assert_ok(bundle_decide(arena, &in, &result));
	assert_ok(bundle_exec_process(arena, &result.config, &exec, &p));
	assert_int_equal(p->user.uid, 1000);
	assert_true(p->no_new_privileges);
	assert_int_equal(oci_capability_mask(&p->capabilities->bounding), 1);
	/* Capabilities were listed for the container's user, nobody else. */
	exec.user = "root";
	assert_ok(bundle_exec_process(arena, &result.config, &exec, &p));
	assert_int_equal(p->user.uid, 0);
	assert_int_equal(oci_capability_mask(&p->capabilities->bounding), 0);
}

static void test_hosts_and_hostname_are_written_for_the_container(void **state)
{
	(void)state;
	struct bundle_input in = input_of(POD("{\"hostAliases\":[{\"ip\":\"10.0.0.1\",\"hostnames\":[\"db\",\"db.amt\"]}],"
					      "\"containers\":[{\"name\":\"web\"}]}"), &image);
	struct bundle_result result;
	auto_str struct str hosts = STR_INIT(4096), name = STR_INIT(4096);

	assert_ok(bundle_decide(arena, &in, &result));
	assert_ok(bundle_write(root_fd, &in, &result.config));
	assert_ok(file_read(root_fd, "hosts", &hosts));
	assert_string_equal(hosts.data, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
					"127.0.0.1\tweb\n10.0.0.1\tdb\tdb.amt\n");
	assert_ok(file_read(root_fd, "hostname", &name));
	assert_string_equal(name.data, "web\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_smallest_pod_is_confined_in_every_byte, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_all_that_a_pod_can_ask_for_in_every_byte, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_a_request_without_a_controller_is_placements_affair_a_limit_is_not, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_where_memory_is_counted_a_container_out_of_it_ends_as_a_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_directory_in_the_hosts_network_and_ids_in_every_byte,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_container_joins_its_sandbox_and_mounts_a_claim_in_every_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_default_filter_is_there_unless_it_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_joined_network_cannot_mount_its_own_sysfs, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_users_by_name_and_number, setup, teardown),
		cmocka_unit_test_setup_teardown(test_users_that_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_passwd_that_is_no_file_or_leads_outside_is_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pods_that_cannot_become_a_bundle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_exec_session_keeps_the_containers_confinement, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_hosts_and_hostname_are_written_for_the_container, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("agent/bundle", tests, setup_root, teardown_root);
}
