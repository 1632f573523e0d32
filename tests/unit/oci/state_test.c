/* tests/unit/oci/state_test.c: state and features documents own their exact bytes. */
#include "tests/unit/unit.h"

#include "oci/features.h"
#include "oci/state.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	assert_ok(arena_new(1 << 20, &arena));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static err *decode(const char *text, const struct oci_state **ret)
{
	return oci_state_decode(arena, "state.json", text, strlen(text), ret);
}

static void test_the_state_document_has_these_bytes(void **state)
{
	(void)state;
	struct string_pair pair = { "org.example", "1" };
	struct oci_state s = { .version = OCI_VERSION, .id = "web", .status = OCI_RUNNING, .pid = 42,
			       .bundle = "/run/web", .annotations = { &pair, 1 } };
	auto_str struct str out = STR_INIT(4096), pretty = STR_INIT(4096);
	const struct oci_state *again;

	oci_state_encode(&out, &s, 0);
	assert_string_equal(out.data, "{\"ociVersion\":\"1.3.0\",\"id\":\"web\",\"status\":\"running\",\"pid\":42,"
				      "\"bundle\":\"/run/web\",\"annotations\":{\"org.example\":\"1\"}}");
	assert_ok(decode(out.data, &again));
	assert_string_equal(string_map_get(&again->annotations, "org.example"), "1");
	assert_int_equal(again->status, OCI_RUNNING);
	s.status = OCI_STOPPED;
	s.pid = 0;
	s.annotations.count = 0;
	oci_state_encode(&pretty, &s, 2);
	assert_string_equal(pretty.data, "{\n  \"ociVersion\": \"1.3.0\",\n  \"id\": \"web\",\n  \"status\": \"stopped\",\n"
					 "  \"pid\": 0,\n  \"bundle\": \"/run/web\"\n}");
}

static void test_wrong_states_are_refused(void **state)
{
	(void)state;
	static const struct { const char *text, *error; } rows[] = {
		{ "{}", "state.json:1:1: ociVersion: required but missing" },
		{ "{\"ociVersion\":\"1.0.0\",\"id\":\"\",\"status\":\"created\",\"bundle\":\"/\"}",
		  "state.json:1:28: id: must not be empty" },
		{ "{\"ociVersion\":\"1.0.0\",\"id\":\"a\",\"status\":\"paused\",\"bundle\":\"/\"}",
		  "state.json:1:41: status: unknown status 'paused'" },
		{ "{\"ociVersion\":\"1.0.0\",\"id\":\"a\",\"status\":\"created\",\"bundle\":\"b\"}",
		  "state.json:1:60: bundle: 'b' is not an absolute path" },
		{ "{\"ociVersion\":\"1.0.0\",\"id\":\"a\",\"status\":\"created\",\"bundle\":\"/\",\"pid\":-1}",
		  "state.json:1:70: pid: -1 is not a whole number from 0 to 2147483647" },
		{ "{]", NULL },
	};
	const struct oci_state *s;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].error)
			assert_err(decode(rows[i].text, &s), rows[i].error);
		else
			assert_err_code(decode(rows[i].text, &s), EINVAL);
	}
}

static void test_a_seccomp_agent_gets_these_bytes(void **state)
{
	(void)state;
	const char *fd = "seccompFd";
	struct oci_process_state p = {
		.version = OCI_VERSION, .fds = { &fd, 1 }, .pid = 7, .metadata = "m",
		.state = { .version = OCI_VERSION, .id = "web", .status = OCI_CREATING, .pid = 7, .bundle = "/b" },
	};
	auto_str struct str out = STR_INIT(4096);

	oci_process_state_encode(&out, &p);
	assert_string_equal(out.data, "{\"ociVersion\":\"1.3.0\",\"fds\":[\"seccompFd\"],\"pid\":7,\"metadata\":\"m\","
				      "\"state\":{\"ociVersion\":\"1.3.0\",\"id\":\"web\",\"status\":\"creating\",\"pid\":7,"
				      "\"bundle\":\"/b\"}}");
}

static void test_features_read_back_as_written(void **state)
{
	(void)state;
	static const char text[] =
		"{\"ociVersionMin\":\"1.0.0\",\"ociVersionMax\":\"1.3.0\",\"hooks\":[\"prestart\"],\"mountOptions\":[\"ro\"],"
		"\"linux\":{\"namespaces\":[\"pid\"],\"capabilities\":[\"CAP_KILL\"],"
		"\"cgroup\":{\"v1\":false,\"v2\":true,\"systemd\":false,\"systemdUser\":false,\"rdma\":true},"
		"\"seccomp\":{\"enabled\":true,\"actions\":[\"SCMP_ACT_KILL\"],\"operators\":[\"SCMP_CMP_EQ\"],"
		"\"archs\":[\"SCMP_ARCH_ARM\"],\"knownFlags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"
		"\"supportedFlags\":[\"SECCOMP_FILTER_FLAG_LOG\"]},"
		"\"apparmor\":{\"enabled\":false},\"selinux\":{\"enabled\":false},"
		"\"intelRdt\":{\"enabled\":false,\"schemata\":false,\"monitoring\":false},"
		"\"memoryPolicy\":{\"modes\":[\"MPOL_BIND\"]},"
		"\"mountExtensions\":{\"idmap\":{\"enabled\":true}},\"netDevices\":{\"enabled\":true}},"
		"\"annotations\":{\"a\":\"b\"},\"potentiallyUnsafeConfigAnnotations\":[\"org.systemd.property.\"]}";
	const struct oci_features *f;
	auto_str struct str out = STR_INIT(1 << 16);

	assert_ok(oci_features_decode(arena, "features", text, strlen(text), &f));
	oci_features_encode(&out, f, 0);
	assert_string_equal(out.data, text);
	assert_err(oci_features_decode(arena, "features", "{\"ociVersionMin\":\"1\"}", 21, &f),
		   "features:1:1: ociVersionMax: required but missing");
}

static void test_tables_of_names_become_lists(void **state)
{
	(void)state;
	struct strings list = { 0 };

	assert_ok(oci_enum_strings(arena, oci_namespace_names, &list));
	assert_int_equal(list.count, 8);
	assert_string_equal(list.items[0], "cgroup");
	assert_string_equal(list.items[7], "uts");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_the_state_document_has_these_bytes),
		TEST(test_wrong_states_are_refused),
		TEST(test_a_seccomp_agent_gets_these_bytes),
		TEST(test_features_read_back_as_written),
		TEST(test_tables_of_names_become_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
