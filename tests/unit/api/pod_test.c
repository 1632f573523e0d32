/* tests/unit/api/pod_test.c: the subset of Kubernetes' Pod: what is accepted, and how the rest is refused. */
#include "tests/unit/api/api.h"

#include "api/pod.h"

#define HEAD "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\"},"

static err *decode_pod(const char *text, const struct pod **ret)
{
	return pod_decode(arena, "web.json", text, strlen(text), ret);
}

static const struct pod *pod_of(const char *rest)
{
	return (const struct pod *)decoded(arena_printf(arena, HEAD "%s}", rest));
}

static void test_the_smallest_pod_has_safe_defaults(void **state)
{
	(void)state;
	const struct pod *pod;

	assert_ok(decode_pod(HEAD "\"spec\":{\"containers\":[{\"name\":\"web\",\"image\":\"a\"}]}}", &pod));
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

	assert_ok(decode_pod(HEAD
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
		assert_refused(decode_pod(text.data, &pod), rows[i].error);
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
		assert_refused(decode_pod(text.data, &pod), rows[i].error);
	}
}

static void test_a_number_is_a_quantity_too(void **state)
{
	(void)state;
	const struct pod *pod;

	assert_ok(decode_pod(HEAD "\"spec\":{\"containers\":[{\"name\":\"a\",\"resources\":{\"limits\":"
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

	assert_ok(decode_pod(text, &pod));
	pod_encode(&out, pod, 0);
	assert_string_equal(out.data, text);
	assert_ok(pod_check(pod));
}

static void test_placement_volumes_and_ports(void **state)
{
	(void)state;
	static const struct { const char *spec, *error; } rows[] = {
		{ "'nodeSelector':{'a':'b c'}",
		  "spec.nodeSelector.a: 'b c' is not a value of at most 63 letters, digits, '-', '_' and '.'" },
		{ "'nodeName':'A'",
		  "spec.nodeName: 'A' is not a name of at most 253 lower-case letters, digits, '-' and '.'" },
		{ "'tolerations':[{'operator':'Exists'}]", "" },
		{ "'tolerations':[{'value':'x'}]", "spec.tolerations[0]: without a key the operator must be Exists" },
		{ "'tolerations':[{'key':'a','operator':'Exists','value':'x'}]",
		  "spec.tolerations[0]: the operator Exists takes no value" },
		{ "'tolerations':[{'key':'a','operator':'Exists','tolerationSeconds':5}]",
		  "spec.tolerations[0]: tolerationSeconds is of the effect NoExecute" },
		{ "'tolerations':[{'key':'a','operator':'Gt','value':'5'}]",
		  "spec.tolerations[0].operator: unknown operator 'Gt'" },
		{ "'topologySpreadConstraints':[{'maxSkew':0,'topologyKey':'a','whenUnsatisfiable':'DoNotSchedule'}]",
		  "spec.topologySpreadConstraints[0].maxSkew: 0 is not a whole number from 1 to 2147483647" },
		{ "'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'a','whenUnsatisfiable':'DoNotSchedule',"
		  "'minDomains':2}]", "spec.topologySpreadConstraints[0].minDomains: is not supported" },
		{ "'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'a','whenUnsatisfiable':'DoNotSchedule',"
		  "'nodeAffinityPolicy':'Honor','nodeTaintsPolicy':'Ignore','minDomains':null}]", "" },
		{ "'topologySpreadConstraints':[{'maxSkew':1,'topologyKey':'a','whenUnsatisfiable':'ScheduleAnyway',"
		  "'labelSelector':{'matchLabels':{'a':'b c'}}}]",
		  "spec.topologySpreadConstraints[0].labelSelector.matchLabels.a: 'b c' is not a value of at most 63 letters, "
		  "digits, '-', '_' and '.'" },
		{ "'affinity':{}", "" },
		{ "'affinity':{'podAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{'topologyKey':'a'}]}}",
		  "spec.affinity.podAffinity: is not supported" },
		{ "'affinity':{'nodeAffinity':{'preferredDuringSchedulingIgnoredDuringExecution':[{'weight':1}]}}",
		  "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution: is not supported" },
		{ "'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':"
		  "[{'matchExpressions':[{'key':'a','operator':'Gt','values':['1']}]}]}}}",
		  "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
		  "matchExpressions[0].operator: unknown operator 'Gt'" },
		{ "'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':"
		  "[{'matchFields':[{'key':'metadata.name'}],'matchExpressions':[]}]}}}",
		  "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]."
		  "matchFields: is not supported" },
		{ "'affinity':{'nodeAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':{'nodeSelectorTerms':[]}}}",
		  "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: "
		  "must not be empty" },
		{ "'affinity':{'podAntiAffinity':{'requiredDuringSchedulingIgnoredDuringExecution':[{'topologyKey':'a',"
		  "'namespaceSelector':{}}]}}",
		  "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].namespaceSelector: "
		  "is not supported" },
		{ "'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'d'}}]", "" },
		{ "'volumes':[{'name':'v','persistentVolumeClaim':{'claimName':'d'},'emptyDir':{}}]",
		  "spec.volumes[0]: needs one source: emptyDir, hostPath or persistentVolumeClaim" },
		{ "'volumes':[{'name':'v','persistentVolumeClaim':{}}]",
		  "spec.volumes[0].persistentVolumeClaim.claimName: required but missing" },
		{ "'volumes':[{'name':'v','configMap':{'name':'c'}}]", "spec.volumes[0].configMap: is not supported" },
		{ "'hostNetwork':true", "" },
		{ "'restartPolicy':'','hostname':'','nodeName':''", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct object *object;
		const char *text = arena_printf(arena, HEAD "'spec':{%s,'containers':[{'name':'a'}]}}", rows[i].spec);
		assert_refused(decode(text, 0, &object), rows[i].error);
	}
}

static void test_a_port_of_the_host_is_the_containers(void **state)
{
	(void)state;
	static const struct { const char *spec, *error; } rows[] = {
		{ "'hostNetwork':true,'containers':[{'name':'a','ports':[{'containerPort':80,'hostPort':80}]}]", "" },
		{ "'hostNetwork':true,'containers':[{'name':'a','ports':[{'containerPort':80,'hostPort':81}]}]",
		  "spec.containers[0].ports[0].hostPort: must be the containerPort, as with hostNetwork both are one" },
		{ "'containers':[{'name':'a','ports':[{'containerPort':80,'hostPort':0}]}]", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct object *object;
		const char *text = arena_printf(arena, HEAD "'spec':{%s}}", rows[i].spec);
		assert_refused(decode(text, 0, &object), rows[i].error);
	}
}

static void test_empty_texts_are_absent_ones(void **state)
{
	(void)state;
	const struct pod *pod = pod_of("'spec':{'nodeName':'','hostname':'','restartPolicy':'','containers':[{'name':'a',"
				       "'workingDir':'','imagePullPolicy':'','ports':[{'containerPort':1,'name':'','protocol':''}]}]}");

	assert_null(pod->spec.node_name);
	assert_null(pod->spec.hostname);
	assert_int_equal(pod->spec.restart, POD_RESTART_ALWAYS);
	assert_null(pod->spec.containers.items[0].working_dir);
	assert_int_equal(pod->spec.containers.items[0].pull, -1);
	assert_int_equal(pod->spec.containers.items[0].ports.items[0].protocol, POD_TCP);
}

/* `stube run --label` takes what container engines take; the API takes what Kubernetes takes. */
static void test_a_local_pod_may_have_labels_of_any_form(void **state)
{
	(void)state;
	struct pod pod;
	struct pod_container c;
	struct string_pair label = { "Any Key", "any text" };

	assert_ok(pod_defaults(arena, &pod));
	assert_ok(pod_container_defaults(arena, &c));
	pod.metadata.name = c.name = "web";
	c.image = "x";
	pod.spec.containers.items = &c;
	pod.spec.containers.count = 1;
	pod.metadata.labels = (struct string_map){ &label, 1 };
	assert_ok(pod_check(&pod));
	pod.metadata.name = NULL;
	assert_err(pod_check(&pod), "Pod: metadata.name: required but missing");
	pod.metadata.name = "web";
	label.key = "a";
	assert_err(object_check((struct object *)&pod), "Pod 'web': metadata.labels.a: 'any text' is not a value of at most "
							"63 letters, digits, '-', '_' and '.'");
}

static void test_the_status_in_one_word(void **state)
{
	(void)state;
	static const struct { const char *meta, *status, *word; } rows[] = {
		{ "", "", "Pending" },
		{ "", "'phase':'Running'", "Running" },
		{ "", "'phase':'Pending','containerStatuses':[{'name':'a','state':{'waiting':{'reason':'ContainerCreating'}}}]",
		  "ContainerCreating" },
		{ "", "'phase':'Running','containerStatuses':[{'name':'a','state':{'waiting':{'reason':'CrashLoopBackOff'}}}]",
		  "CrashLoopBackOff" },
		{ "", "'phase':'Pending','containerStatuses':[{'name':'a','state':{'waiting':{'reason':'ImagePullBackOff'}}},"
		      "{'name':'b','state':{'waiting':{'reason':'ContainerCreating'}}}]", "ImagePullBackOff" },
		{ "", "'phase':'Succeeded','containerStatuses':[{'name':'a','state':{'terminated':{'exitCode':0,"
		      "'reason':'Completed'}}}]", "Completed" },
		{ "", "'phase':'Failed','containerStatuses':[{'name':'a','state':{'terminated':{'exitCode':3}}}]", "Error" },
		{ "", "'phase':'Succeeded','containerStatuses':[{'name':'a','state':{'terminated':{'exitCode':0}}}]",
		  "Completed" },
		{ "", "'phase':'Failed','containerStatuses':[{'name':'a','state':{'terminated':{'exitCode':137,"
		      "'reason':'OOMKilled'}}}]", "OOMKilled" },
		{ "", "'phase':'Running','containerStatuses':[{'name':'a','state':{'terminated':{'exitCode':0}}},"
		      "{'name':'b','ready':true,'state':{'running':{}}}],'conditions':[{'type':'Ready','status':'True'}]", "Running" },
		{ "", "'phase':'Running','containerStatuses':[{'name':'a','state':{'terminated':{'exitCode':0}}},"
		      "{'name':'b','ready':true,'state':{'running':{}}}]", "NotReady" },
		{ "", "'phase':'Failed','reason':'Evicted'", "Evicted" },
		{ ",'deletionTimestamp':'2026-11-23T20:15:04Z'", "'phase':'Running'", "Terminating" },
		{ ",'deletionTimestamp':'2026-11-23T20:15:04Z'", "", "Terminating" },
		{ "", "'phase':'Running','conditions':[{'type':'Ready','status':'False','reason':'NodeLost'}]", "NodeLost" },
		{ "", "'phase':'Failed','conditions':[{'type':'Ready','status':'False','reason':'NodeLost'}]", "Failed" },
		{ "", "'phase':'Running','conditions':[{'type':'Ready','status':'True','reason':'NodeLost'}]", "Running" },
		{ ",'deletionTimestamp':'2026-11-23T20:15:04Z'", "'phase':'Running','reason':'NodeLost'", "Unknown" },
		{ ",'deletionTimestamp':'2026-11-23T20:15:04Z'", "'phase':'Succeeded'", "Succeeded" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct pod *pod = (const struct pod *)decoded(arena_printf(
			arena, "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'a'%s},'spec':{'containers':[{'name':'a'}]},"
			       "'status':{%s}}", rows[i].meta, rows[i].status));
		assert_string_equal(pod_status_word(pod), rows[i].word);
	}
}

static void test_ready_and_over(void **state)
{
	(void)state;
	static const struct { const char *status; bool ready, over; } rows[] = {
		{ "", false, false },
		{ "'phase':'Running','conditions':[{'type':'Ready','status':'True'}]", true, false },
		{ "'phase':'Running','conditions':[{'type':'Ready','status':'False'}]", false, false },
		{ "'phase':'Succeeded'", false, true },
		{ "'phase':'Failed'", false, true },
		{ "'phase':'Unknown'", false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct pod *pod = pod_of(
			arena_printf(arena, "'spec':{'containers':[{'name':'a'}]},'status':{%s}", rows[i].status));
		assert_int_equal(pod_is_ready(pod), rows[i].ready);
		assert_int_equal(pod_is_over(pod), rows[i].over);
	}
}

static void test_what_becomes_of_a_pod_whose_node_is_lost(void **state)
{
	(void)state;
	static const struct { const char *meta, *volume, *word; } rows[] = {
		{ "", "", "replace" },
		{ "", "'persistentVolumeClaim':{'claimName':'d'}", "keep" },
		{ "", "'emptyDir':{}", "replace" },
		{ ",'annotations':{'stube/on-node-loss':'stop'}", "", "stop" },
		{ ",'annotations':{'stube/on-node-loss':'replace'}", "'persistentVolumeClaim':{'claimName':'d'}", "replace" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *comma = *rows[i].volume ? "," : "", *open = *rows[i].volume ? "{'name':'v'" : "",
			   *end = *rows[i].volume ? "}" : "";
		const struct pod *pod = (const struct pod *)decoded(arena_printf(
			arena, "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'a'%s},'spec':{'volumes':[%s%s%s%s],"
			       "'containers':[{'name':'a'}]}}", rows[i].meta, open, comma, rows[i].volume, end));
		assert_string_equal(pod_on_node_loss(pod), rows[i].word);
	}
}

static void test_tolerations_match_as_in_kubernetes(void **state)
{
	(void)state;
	static const struct taint taint = { .key = "a", .value = "1", .effect = TAINT_NO_SCHEDULE };
	static const struct taint bare = { .key = "a", .effect = TAINT_NO_EXECUTE };
	static const struct { struct toleration t; bool taint, bare; } rows[] = {
		{ { .operator = TOLERATION_EXISTS }, true, true },
		{ { .operator = TOLERATION_EXISTS, .effect = TAINT_NO_EXECUTE }, false, true },
		{ { .key = "a", .operator = TOLERATION_EXISTS }, true, true },
		{ { .key = "b", .operator = TOLERATION_EXISTS }, false, false },
		{ { .key = "a", .operator = TOLERATION_EQUAL, .value = "1" }, true, false },
		{ { .key = "a", .operator = TOLERATION_EQUAL }, false, true },
		{ { .key = "a", .operator = TOLERATION_EQUAL, .value = "1", .effect = TAINT_NO_EXECUTE }, false, false },
		{ { .key = "a", .value = "1" }, true, false },
		{ { .operator = TOLERATION_EQUAL, .value = "1" }, false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(toleration_matches(&rows[i].t, &taint), rows[i].taint);
		assert_int_equal(toleration_matches(&rows[i].t, &bare), rows[i].bare);
	}
}

#define NEW(image, more) "'spec':{'containers':[{'name':'a','image':'" image "'}]" more "}"
static void test_what_no_node_could_run_is_refused_when_it_is_new(void **state)
{
	(void)state;
	static const struct {
		const char *spec, *error;
	} rows[] = {
		{ NEW("Not A Valid IMAGE!!", ""),
		  "spec.containers[0].image: 'Not A Valid IMAGE!!' is no name of an image: a path is "
		  "of lower-case letters and digits with single '.', '_', '__' or '-' between them" },
		{ NEW("a:", ""),
		  "spec.containers[0].image: 'a:' is no name of an image: behind ':' stands no tag" },
		{ NEW("a@sha256", ""), "spec.containers[0].image: 'a@sha256' is no name of an image: behind "
				       "'@' stands no digest" },
		{ NEW("ex ample.org/a", ""),
		  "spec.containers[0].image: 'ex ample.org/a' is no name of an image: it begins with no "
		  "HOST or HOST:PORT" },
		{ NEW("a/", ""), "spec.containers[0].image: 'a/' is no name of an image: a path is of "
				 "lower-case letters and digits "
				 "with single '.', '_', '__' or '-' between them" },
		{ NEW("a", ",'volumes':[{'name':'d','emptyDir':{'sizeLimit':'1Mi'}}]"),
		  "spec.volumes[0].emptyDir.sizeLimit: is only supported with medium: Memory" },
		{ "'spec':{'containers':[{'name':'a','image':'a','securityContext':{'capabilities':{'add':['"
		  "NET_ADMIN','FOO']}}}]}",
		  "spec.containers[0].securityContext.capabilities.add[1]: unknown capability 'FOO'" },
		{ "'spec':{'containers':[{'name':'a','image':'a','securityContext':{'capabilities':{'add':['"
		  "all']}}}]}",
		  "spec.containers[0].securityContext.capabilities.add[0]: 'all' is not supported: list what "
		  "is needed" },
		{ "'spec':{'containers':[{'name':'a','image':'a','securityContext':{'capabilities':{'drop':['"
		  "FOO']}}}]}",
		  "spec.containers[0].securityContext.capabilities.drop[0]: unknown capability 'FOO'" },
		{ NEW("a", ""), NULL },
		{ NEW("localhost/a__b:1.0-x", ""), NULL },
		{ NEW("Example.org:5000/a/b-c.d", ""), NULL },
		{ NEW("[::1]:5000/a/b:Latest", ""), NULL },
		{ NEW("a:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", ""),
		  NULL },
		{ NEW("a", ",'volumes':[{'name':'d','emptyDir':{'sizeLimit':'1Mi','medium':'Memory'}}]"),
		  NULL },
		{ "'spec':{'containers':[{'name':'a','image':'a','securityContext':{'capabilities':{"
		  "'add':['net_bind_service','CAP_CHOWN'],'drop':['ALL']}}}]}",
		  NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *text =
			arena_printf(arena, "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'web'},%s}",
				     rows[i].spec);
		struct object *object;
		assert_ok(decode(text, 0, &object)); /* as what is stored is read */
		err *e = decode(text, OBJECT_ADMIT, &object);
		if (!rows[i].error) {
			assert_ok(e);
			assert_ok(object_admit(object));
			continue;
		}
		auto_str struct str told = STR_INIT(4096);
		err_format(e, &told);
		err_free(e);
		assert_true(str_ends_with(told.data, rows[i].error));
	}
	struct object *object;
	assert_err(
		decode("{'apiVersion':'apps/"
		       "v1','kind':'Deployment','metadata':{'name':'web'},'spec':{'selector':{'matchLabels':"
		       "{'a':'b'}},'template':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':"
		       "'a','image':'A'}]}}}}",
		       OBJECT_ADMIT, &object),
		"web.json:1:202: spec.template.spec.containers[0].image: 'A' is no name of an image: a path "
		"is of lower-case letters "
		"and digits with single '.', '_', '__' or '-' between them");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_smallest_pod_has_safe_defaults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_known_fields_with_their_default_are_accepted, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_refusals_name_place_and_field, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules_between_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_number_is_a_quantity_too, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_pod_is_written_as_it_was_read, setup, teardown),
		TEST(test_what_no_node_could_run_is_refused_when_it_is_new),
		TEST(test_placement_volumes_and_ports),
		TEST(test_a_port_of_the_host_is_the_containers),
		TEST(test_empty_texts_are_absent_ones),
		TEST(test_a_local_pod_may_have_labels_of_any_form),
		TEST(test_the_status_in_one_word),
		TEST(test_ready_and_over),
		TEST(test_what_becomes_of_a_pod_whose_node_is_lost),
		TEST(test_tolerations_match_as_in_kubernetes),
	};

	return cmocka_run_group_tests_name("api/pod", tests, NULL, NULL);
}
