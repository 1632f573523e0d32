/* tests/unit/api/pod_test.c: the subset of Kubernetes' Pod: what is accepted, and how the rest is refused. */
#include "tests/unit/unit.h"

#include "api/pod.h"

#define HEAD "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\"},"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	assert_ok(arena_new(16 << 20, &arena));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static err *decode(const char *text, const struct pod **ret)
{
	return pod_decode(arena, "web.json", text, strlen(text), ret);
}

/* "web.json:LINE:COLUMN: " and this text. */
static void assert_refused(err *e, const char *expected)
{
	auto_str struct str text = STR_INIT(4096);

	assert_non_null(e);
	err_format(e, &text);
	err_free(e);
	assert_true(str_starts_with(text.data, "web.json:1:"));
	const char *rest = strstr(text.data, ": ");
	assert_non_null(rest);
	assert_string_equal(rest + 2, expected);
}

static void test_the_smallest_pod_has_safe_defaults(void **state)
{
	(void)state;
	const struct pod *pod;

	assert_ok(decode(HEAD "\"spec\":{\"containers\":[{\"name\":\"web\",\"image\":\"a\"}]}}", &pod));
	assert_int_equal(pod->spec.restart, POD_RESTART_ALWAYS);
	assert_int_equal(pod->spec.grace_seconds, 30);
	assert_false(pod->spec.host_users);
	assert_false(pod->spec.host_network);
	assert_null(pod->spec.containers.items[0].security.read_only_root);
}

static void test_known_fields_with_their_default_are_accepted(void **state)
{
	(void)state;
	const struct pod *pod;

	assert_ok(decode(HEAD
			 "\"status\":{\"phase\":\"Running\"},"
			 "\"spec\":{\"hostPID\":false,\"schedulerName\":\"default-scheduler\",\"priority\":0,"
			 "\"tolerations\":[],\"affinity\":{},\"dnsPolicy\":\"ClusterFirst\",\"nodeName\":\"\","
			 "\"securityContext\":{},\"activeDeadlineSeconds\":null,\"enableServiceLinks\":true,"
			 "\"containers\":[{\"name\":\"web\",\"terminationMessagePath\":\"/dev/termination-log\","
			 "\"terminationMessagePolicy\":\"File\",\"resources\":{},"
			 "\"securityContext\":{\"privileged\":false,\"procMount\":\"Default\"}}]}}", &pod));
}

static void test_refusals_name_place_and_field(void **state)
{
	(void)state;
	static const struct { const char *spec, *error; } rows[] = {
		{ "\"containers\":[]", "spec.containers: must not be empty" },
		{ "\"containers\":[{\"name\":\"a\",\"lifecycle\":{\"preStop\":{}}}]",
		  "spec.containers[0].lifecycle: is not supported" },
		{ "\"hostPID\":true,\"containers\":[{\"name\":\"a\"}]",
		  "spec.hostPID: is not supported" },
		{ "\"schedulerName\":\"mine\",\"containers\":[{\"name\":\"a\"}]",
		  "spec.schedulerName: is not supported" },
		{ "\"conatiners\":[{\"name\":\"a\"}]", "spec.conatiners: unknown field" },
		{ "\"containers\":[{\"name\":\"a\",\"securityContext\":{\"privileged\":true}}]",
		  "spec.containers[0].securityContext.privileged: is not supported" },
		{ "\"containers\":[{\"name\":\"A\"}]",
		  "spec.containers[0].name: 'A' is not a name of at most 63 lower-case letters, "
		  "digits and '-'" },
		{ "\"containers\":[{\"name\":\"a\",\"resources\":{\"limits\":{\"memory\":\"lots\"}}}]",
		  "spec.containers[0].resources.limits.memory: 'lots' is not a quantity such as "
		  "500m, 2 or 128Mi" },
		{ "\"containers\":[{\"name\":\"a\",\"env\":[{\"name\":\"A\",\"valueFrom\":{\"fieldRef\":{}}}]}]",
		  "spec.containers[0].env[0].valueFrom: is not supported" },
		{ "\"containers\":[{\"name\":\"a\",\"ports\":[{\"containerPort\":80,\"hostPort\":80}]}]",
		  "spec.containers[0].ports[0].hostPort: is not supported without hostNetwork" },
		{ "\"containers\":[{\"name\":\"a\",\"workingDir\":\"/a/../b\"}]",
		  "spec.containers[0].workingDir: '/a/../b' must not contain '..'" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct pod *pod;
		auto_str struct str text = STR_INIT(4096);
		str_addf(&text, HEAD "\"spec\":{%s}}", rows[i].spec);
		assert_refused(decode(text.data, &pod), rows[i].error);
	}
}

static void test_rules_between_fields(void **state)
{
	(void)state;
	static const struct { const char *spec, *error; } rows[] = {
		{ "\"volumes\":[{\"name\":\"v\"}],\"containers\":[{\"name\":\"a\"}]",
		  "spec.volumes[0]: needs one source: emptyDir, hostPath or persistentVolumeClaim" },
		{ "\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}},{\"name\":\"v\",\"emptyDir\":{}}],"
		  "\"containers\":[{\"name\":\"a\"}]",
		  "spec.volumes[1]: there is another volume 'v'" },
		{ "\"containers\":[{\"name\":\"a\",\"volumeMounts\":[{\"name\":\"v\",\"mountPath\":\"/v\"}]}]",
		  "spec.containers[0].volumeMounts[0]: there is no volume 'v'" },
		{ "\"containers\":[{\"name\":\"a\"},{\"name\":\"a\"}]",
		  "spec.containers[1]: there is another container 'a'" },
		{ "\"securityContext\":{\"runAsNonRoot\":true,\"runAsUser\":0},\"containers\":[{\"name\":\"a\"}]",
		  "spec.containers[0]: runAsNonRoot, but runAsUser is 0" },
		{ "\"containers\":[{\"name\":\"a\",\"resources\":{\"limits\":{\"cpu\":1},\"requests\":{\"cpu\":\"2\"}}}]",
		  "spec.containers[0]: a request is larger than its limit" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct pod *pod;
		auto_str struct str text = STR_INIT(4096);
		str_addf(&text, HEAD "\"spec\":{%s}}", rows[i].spec);
		assert_refused(decode(text.data, &pod), rows[i].error);
	}
}

static void test_a_number_is_a_quantity_too(void **state)
{
	(void)state;
	const struct pod *pod;

	assert_ok(decode(HEAD "\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":{\"limits\":"
			      "{\"cpu\":1.5,\"memory\":1048576}}}]}}", &pod));
	assert_int_equal(pod->spec.containers.items[0].resources.limits.cpu.milli, 1500);
	assert_int_equal(quantity_units(&pod->spec.containers.items[0].resources.limits.memory), 1048576);
}

static void test_a_pod_is_written_as_it_was_read(void **state)
{
	(void)state;
	static const char text[] =
		"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\",\"namespace\":\"amt\","
		"\"labels\":{\"app\":\"web\"},\"annotations\":{\"stube/pids-limit\":\"64\"}},\"spec\":{\"containers\":["
		"{\"name\":\"web\",\"image\":\"web:1\",\"command\":[\"/web\"],\"args\":[\"-v\"],\"workingDir\":\"/srv\","
		"\"env\":[{\"name\":\"A\",\"value\":\"1\"}],\"ports\":[{\"containerPort\":80,\"protocol\":\"TCP\"}],"
		"\"resources\":{\"limits\":{\"cpu\":\"500m\",\"memory\":\"64Mi\"}},"
		"\"volumeMounts\":[{\"name\":\"data\",\"mountPath\":\"/data\",\"readOnly\":true}],"
		"\"securityContext\":{\"runAsUser\":1000,\"readOnlyRootFilesystem\":false,"
		"\"capabilities\":{\"add\":[\"NET_BIND_SERVICE\"]},\"seccompProfile\":{\"type\":\"Unconfined\"}},"
		"\"imagePullPolicy\":\"Never\",\"stdin\":true,\"tty\":true}],\"volumes\":[{\"name\":\"data\","
		"\"hostPath\":{\"path\":\"/srv/data\",\"type\":\"Directory\"}}],\"restartPolicy\":\"Never\","
		"\"terminationGracePeriodSeconds\":5,\"hostname\":\"h\"}}";
	const struct pod *pod;
	auto_str struct str out = STR_INIT(1 << 16);

	assert_ok(decode(text, &pod));
	pod_encode(&out, pod, 0);
	assert_string_equal(out.data, text);
	assert_ok(pod_check(pod));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_smallest_pod_has_safe_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_known_fields_with_their_default_are_accepted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals_name_place_and_field, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules_between_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_number_is_a_quantity_too, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_pod_is_written_as_it_was_read, setup, teardown),
	};

	return cmocka_run_group_tests_name("api/pod", tests, NULL, NULL);
}
