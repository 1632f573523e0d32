/* tests/unit/api/objects_test.c: each kind: what is accepted, and how the rest is refused. */
#include "tests/unit/api/api.h"

#include "api/claim.h"
#include "api/deployment.h"
#include "api/event.h"
#include "api/lease.h"
#include "api/namespace.h"
#include "api/node.h"

struct row {
	const char *text, *error; /* "": accepted */
};

static void check_rows(const char *format, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		auto_str struct str text = STR_INIT(1 << 16);
		const char *hole = strchr(format, '@');
		struct object *object;
		str_add_bytes(&text, format, (size_t)(hole - format));
		str_add(&text, rows[i].text);
		str_add(&text, hole + 1);
		assert_refused(decode(text.data, 0, &object), rows[i].error);
	}
}
#define CHECK_ROWS(format, rows) check_rows(format, rows, ARRAY_LEN(rows))

static void test_metadata_is_checked_with_its_path(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "'name':'web'", "" },
		{ "'name':'a.b-c.1'", "" },
		{ "'generateName':'web-'", "" },
		{ "'name':''", "metadata.name: required but missing" },
		{ "'labels':{}", "metadata.name: required but missing" },
		{ "'name':'Web'",
		  "metadata.name: 'Web' is not a name of at most 253 lower-case letters, digits, '-' and '.'" },
		{ "'name':'a..b'",
		  "metadata.name: 'a..b' is not a name of at most 253 lower-case letters, digits, '-' and '.'" },
		{ "'generateName':'-web-'",
		  "metadata.generateName: '-web-' is not a name of at most 253 lower-case letters, digits, '-' and '.'" },
		{ "'name':'web','namespace':'a.b'",
		  "metadata.namespace: 'a.b' is not a name of at most 63 lower-case letters, digits and '-'" },
		{ "'name':'web','labels':{'app':'a b'}",
		  "metadata.labels.app: 'a b' is not a value of at most 63 letters, digits, '-', '_' and '.'" },
		{ "'name':'web','labels':{'a/b/c':'x'}",
		  "metadata.labels.a/b/c: 'a/b/c' is not a key of at most 63 letters, digits, '-', '_' and '.', which may "
		  "follow a domain and '/'" },
		{ "'name':'web','labels':{'app.kubernetes.io/name':'Web_1.2-3','a':''}", "" },
		{ "'name':'web','annotations':{'a b':'x'}",
		  "metadata.annotations.a b: 'a b' is not a key of at most 63 letters, digits, '-', '_' and '.', which may "
		  "follow a domain and '/'" },
		{ "'name':'web','annotations':{'note':'any text, of any length: \u00fc'}", "" },
		{ "'name':'web','creationTimestamp':null,'managedFields':[{}],'selfLink':'/x','finalizers':[]", "" },
		{ "'name':'web','finalizers':['mine']", "metadata.finalizers: is not supported" },
		{ "'name':'web','creationTimestamp':'now'",
		  "metadata.creationTimestamp: 'now' is not a time such as 2026-11-23T20:15:04Z" },
		{ "'name':'web','creationTimestamp':'0001-01-01T00:00:00Z'", "" },
		{ "'name':'web','ownerReferences':[{'apiVersion':'v1','kind':'Pod','name':'p'}]",
		  "metadata.ownerReferences[0].uid: required but missing" },
		{ "'name':'web','owner':'me'", "metadata.owner: unknown field" },
		{ "'name':'web','labels':{'stube/protection-need':'hgih'}",
		  "metadata.labels.stube/protection-need: 'hgih' is not one of normal|high|very-high" },
		{ "'name':'web','labels':{'stube/protection-need':''}",
		  "metadata.labels.stube/protection-need: '' is not one of normal|high|very-high" },
		{ "'name':'web','labels':{'stube/protection-need':'very-high'}", "" },
		{ "'name':'web','annotations':{'stube/on-node-loss':'stay'}",
		  "metadata.annotations.stube/on-node-loss: 'stay' is not one of replace|keep|stop" },
		{ "'name':'web','annotations':{'stube/on-node-loss':'keep|stop'}",
		  "metadata.annotations.stube/on-node-loss: 'keep|stop' is not one of replace|keep|stop" },
		{ "'name':'web','annotations':{'stube/pids-limit':'many'}",
		  "metadata.annotations.stube/pids-limit: 'many' is no number of processes" },
	};

	CHECK_ROWS("{'apiVersion':'v1','kind':'Pod','metadata':{@},'spec':{'containers':[{'name':'a'}]}}", rows);
}

static void test_names_have_a_longest_length(void **state)
{
	(void)state;
	char name[256];
	struct object *object;
	static const struct { const char *kind; int longest; } rows[] = { { "Node", 253 }, { "Namespace", 63 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int extra = 0; extra < 2; extra++) {
			memset(name, 'a', sizeof(name));
			name[rows[i].longest + extra] = '\0';
			const char *text = arena_printf(arena, "{'apiVersion':'v1','kind':'%s','metadata':{'name':'%s'}}",
							rows[i].kind, name);
			auto_err err *e = decode(text, 0, &object);
			assert_int_equal(!!e, extra);
		}
	}
}

static void test_a_document_says_what_it_is(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "'kind':'Pod'", "apiVersion: required but missing" },
		{ "'apiVersion':'v1'", "kind: required but missing" },
		{ "'apiVersion':'v1','kind':7", "kind: must be a string" },
		{ "'apiVersion':'apps/v1beta1','kind':'Deployment'",
		  "apiVersion: 'apps/v1beta1' is not 'apps/v1', the version of Deployment that Stube has" },
		{ "'apiVersion':'batch/v1','kind':'Job'", "kind: 'Job' of 'batch/v1' is not a kind that Stube has" },
		{ "'apiVersion':'v1','kind':'List','items':[]", "kind: 'List' of 'v1' is not a kind that Stube has" },
		{ "'apiVersion':'v1','kind':'Namespace'", "metadata: required but missing" },
	};
	struct object *object;

	CHECK_ROWS("{@}", rows);
	assert_refused(decode("[]", 0, &object), "expected object, got array");
	assert_refused(object_decode(arena, "web.json", "{\"apiVersion\":\"v1\",\"kind\":\"Node\"}", 33, &kinds[KIND_POD],
				     0, &object),
		       "kind: expected Pod, got Node");
}

static void test_an_error_names_file_line_and_path(void **state)
{
	(void)state;
	struct object *object;
	static const char text[] = "{\"apiVersion\": \"v1\",\n \"kind\": \"Node\",\n \"metadata\": {\"name\": \"a\"},\n"
				   " \"spec\": {\"taints\": [\n  {\"key\": \"a\", \"effect\": \"Never\"}]}}";

	assert_err(object_decode(arena, "node.json", text, strlen(text), NULL, 0, &object),
		   "node.json:5:26: spec.taints[0].effect: unknown taint effect 'Never'");
}

static void test_namespaces(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "'metadata':{'name':'amt'}", "" },
		{ "'metadata':{'name':'amt'},'spec':{'finalizers':['kubernetes']},'status':{'phase':'Active'}", "" },
		{ "'metadata':{'name':'amt'},'spec':{},'status':{}", "" },
		{ "'metadata':{'name':'amt'},'spec':{'finalizers':['mine']}",
		  "spec.finalizers[0]: 'mine' is not supported" },
		{ "'metadata':{'name':'a.b'}",
		  "metadata.name: 'a.b' is not a name of at most 63 lower-case letters, digits and '-'" },
		{ "'metadata':{'name':'amt','namespace':'x'}", "metadata.namespace: a Namespace is in no namespace" },
		{ "'metadata':{'name':'amt'},'status':{'phase':'Gone'}", "status.phase: unknown phase 'Gone'" },
		{ "'metadata':{'name':'amt'},'data':{}", "data: unknown field" },
	};

	CHECK_ROWS("{'apiVersion':'v1','kind':'Namespace',@}", rows);
}

static void test_nodes(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "", "" },
		{ ",'spec':{'podCIDR':'','podCIDRs':[],'providerID':''}", "" },
		{ ",'spec':{'podCIDR':'10.0.0.0/24'}", "spec.podCIDR: is not supported" },
		{ ",'spec':{'taints':[{'key':'a','effect':'NoSchedule'},{'key':'a','effect':'NoExecute'}]}", "" },
		{ ",'spec':{'taints':[{'key':'a','effect':'NoSchedule'},{'key':'a','effect':'NoSchedule'}]}",
		  "spec.taints[1]: there is another taint 'a' of this effect" },
		{ ",'spec':{'taints':[{'key':'a'}]}", "spec.taints[0].effect: required but missing" },
		{ ",'status':{'capacity':{'cpu':'lots'}}",
		  "status.capacity.cpu: 'lots' is not a quantity such as 500m, 2 or 128Mi" },
		{ ",'status':{'conditions':[{'type':'Ready','status':'Yes'}]}",
		  "status.conditions[0].status: unknown condition status 'Yes'" },
		{ ",'status':{'daemonEndpoints':{'kubeletEndpoint':{'Port':70000}}}",
		  "status.daemonEndpoints.kubeletEndpoint.Port: 70000 is not a whole number from 0 to 65535" },
		{ ",'status':{'volumesInUse':[],'phase':'Running'}", "" },
	};
	static const struct row class_rows[] = {
		{ "very-high", "" },
		{ "top", "metadata.labels.stube/protection-class: 'top' is not one of normal|high|very-high" },
	};

	CHECK_ROWS("{'apiVersion':'v1','kind':'Node','metadata':{'name':'a.b'}@}", rows);
	CHECK_ROWS("{'apiVersion':'v1','kind':'Node','metadata':{'name':'a','labels':{'stube/protection-class':'@'}}}",
		   class_rows);
}

static void test_claims(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}", "" },
		{ "'accessModes':['ReadWriteOncePod'],'resources':{'requests':{'storage':'1Gi'}},'storageClassName':'',"
		  "'volumeMode':'Filesystem','selector':{},'dataSource':null", "" },
		{ "'accessModes':['ReadWriteMany'],'resources':{'requests':{'storage':'1Gi'}}",
		  "spec.accessModes[0]: 'ReadWriteMany' is not supported: a local volume is one node's" },
		{ "'accessModes':['ReadOnlyMany'],'resources':{'requests':{'storage':'1Gi'}}",
		  "spec.accessModes[0]: 'ReadOnlyMany' is not supported: a local volume is one node's" },
		{ "'accessModes':['Any'],'resources':{'requests':{'storage':'1Gi'}}",
		  "spec.accessModes[0]: 'Any' is no access mode" },
		{ "'accessModes':['ReadWriteOnce','ReadWriteOncePod'],'resources':{'requests':{'storage':'1Gi'}}",
		  "spec.accessModes: ReadWriteOncePod allows no other mode beside it" },
		{ "'accessModes':[],'resources':{'requests':{'storage':'1Gi'}}", "spec.accessModes: must not be empty" },
		{ "'accessModes':['ReadWriteOnce'],'resources':{}",
		  "spec.resources.requests.storage: required but missing" },
		{ "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'0'}}",
		  "spec.resources.requests.storage: must be more than 0" },
		{ "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'2Gi'},'limits':{'storage':'1Gi'}}",
		  "spec.resources.requests.storage: is larger than its limit" },
		{ "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi','iops':'5'}}",
		  "spec.resources.requests.iops: is not supported" },
		{ "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}},'storageClassName':'fast'",
		  "spec.storageClassName: 'fast' is not supported: the one class is 'local'" },
		{ "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}},'volumeMode':'Block'",
		  "spec.volumeMode: is not supported" },
		{ "'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}},'dataSource':{'name':'x'}",
		  "spec.dataSource: is not supported" },
	};

	CHECK_ROWS("{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'d'},'spec':{@}}", rows);
}

static void test_leases_and_events(void **state)
{
	(void)state;
	static const struct row leases[] = {
		{ "'renewTime':'2026-11-23T20:15:04.123456Z'", "" },
		{ "'leaseDurationSeconds':0",
		  "spec.leaseDurationSeconds: 0 is not a whole number from 1 to 2147483647" },
		{ "'renewTime':'soon'", "spec.renewTime: 'soon' is not a time such as 2026-11-23T20:15:04Z" },
		{ "'strategy':'OldestEmulationVersion'", "spec.strategy: is not supported" },
	};
	static const struct row events[] = {
		{ "'involvedObject':{'kind':'Pod'},'type':'Normal','eventTime':null,'reportingComponent':''", "" },
		{ "'involvedObject':{'namespace':'b'}", "involvedObject.namespace: is not the event's namespace" },
		{ "'involvedObject':{},'type':'Bad'", "type: 'Bad' is not one of Normal|Warning" },
		{ "'involvedObject':{},'count':-1", "count: -1 is not a whole number from 0 to 2147483647" },
		{ "'involvedObject':{},'series':{'count':2}", "series: is not supported" },
		{ "'reason':'x'", "involvedObject: required but missing" },
	};

	CHECK_ROWS("{'apiVersion':'coordination.k8s.io/v1','kind':'Lease','metadata':{'name':'a'},'spec':{@}}", leases);
	CHECK_ROWS("{'apiVersion':'v1','kind':'Event','metadata':{'name':'a','namespace':'a'},@}", events);
}

#define DEPLOYMENT "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'web'},'spec':{"
#define SELECTOR   "'selector':{'matchLabels':{'app':'web'}}"
#define TEMPLATE   "'template':{'metadata':{'labels':{'app':'web'}},'spec':{'containers':[{'name':'a'}]}}"

static void test_deployments(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "", "" },
		{ ",'replicas':0,'strategy':{}", "" },
		{ ",'replicas':100001", "spec.replicas: 100001 is not a whole number from 0 to 100000" },
		{ ",'replicas':-1", "spec.replicas: -1 is not a whole number from 0 to 100000" },
		{ ",'strategy':{'type':'Canary'}", "spec.strategy.type: unknown strategy 'Canary'" },
		{ ",'strategy':{'rollingUpdate':{'maxSurge':0,'maxUnavailable':'0%'}}",
		  "spec.strategy.rollingUpdate: maxSurge and maxUnavailable must not both be 0" },
		{ ",'strategy':{'rollingUpdate':{'maxSurge':0}}", "" },
		{ ",'strategy':{'rollingUpdate':{'maxSurge':'half'}}",
		  "spec.strategy.rollingUpdate.maxSurge: 'half' is not a number or a share such as 25%" },
		{ ",'strategy':{'rollingUpdate':{'maxUnavailable':'101%'}}",
		  "spec.strategy.rollingUpdate.maxUnavailable: must not be more than 100%" },
		{ ",'strategy':{'type':'Recreate','rollingUpdate':{'maxSurge':1}}",
		  "spec.strategy.rollingUpdate: has no meaning with the strategy Recreate" },
		{ ",'strategy':{'type':'Recreate'}", "" },
		{ ",'progressDeadlineSeconds':5,'minReadySeconds':5",
		  "spec.progressDeadlineSeconds: must be more than minReadySeconds" },
		{ ",'replica':2", "spec.replica: unknown field" },
	};

	CHECK_ROWS(DEPLOYMENT SELECTOR "," TEMPLATE "@}}", rows);
}

static void test_templates_are_checked_as_pods(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ TEMPLATE, "spec.selector: required but missing" },
		{ SELECTOR, "spec.template: required but missing" },
		{ "'selector':{}," TEMPLATE, "spec.selector: must not be empty" },
		{ "'selector':{'matchLabels':{'app':'x'}}," TEMPLATE,
		  "spec.template.metadata.labels: spec.selector does not match these labels" },
		{ "'selector':{'matchLabels':{'a p':'x'}}," TEMPLATE,
		  "spec.selector.matchLabels.a p: 'a p' is not a key of at most 63 letters, digits, '-', '_' and '.', which "
		  "may follow a domain and '/'" },
		{ "'selector':{'matchExpressions':[{'key':'app','operator':'In'}]}," TEMPLATE,
		  "spec.selector.matchExpressions[0]: In and NotIn need values" },
		{ "'selector':{'matchExpressions':[{'key':'app','operator':'Exists','values':['a']}]}," TEMPLATE,
		  "spec.selector.matchExpressions[0]: Exists and DoesNotExist take no values" },
		{ SELECTOR ",'template':{'metadata':{'labels':{'app':'web'}},'spec':{'containers':[{'name':'a'}],"
			   "'restartPolicy':'Never'}}",
		  "spec.template.spec.restartPolicy: must be Always" },
		{ SELECTOR ",'template':{'metadata':{'labels':{'app':'web'}},'spec':{'containers':[{'name':'a'}],"
			   "'nodeName':'n'}}",
		  "spec.template.spec.nodeName: is not supported in a template" },
		{ SELECTOR ",'template':{'metadata':{'labels':{'app':'web'}},'spec':{'containers':[{'name':'a'},{'name':'a'}]}}",
		  "spec.template.spec.containers[1]: there is another container 'a'" },
		{ SELECTOR ",'template':{'metadata':{'labels':{'app':'web','stube/protection-need':'max'}},"
			   "'spec':{'containers':[{'name':'a'}]}}",
		  "spec.template.metadata.labels.stube/protection-need: 'max' is not one of normal|high|very-high" },
		{ SELECTOR ",'template':{'metadata':{'name':'x','creationTimestamp':null,'labels':{'app':'web'}},"
			   "'spec':{'containers':[{'name':'a'}]}}", "" },
	};
	static const struct row replicasets[] = {
		{ SELECTOR "," TEMPLATE, "" },
		{ "'selector':{'matchLabels':{'app':'x'}}," TEMPLATE,
		  "spec.template.metadata.labels: spec.selector does not match these labels" },
		{ SELECTOR "," TEMPLATE ",'strategy':{}", "spec.strategy: unknown field" },
	};

	CHECK_ROWS(DEPLOYMENT "@}}", rows);
	CHECK_ROWS("{'apiVersion':'apps/v1','kind':'ReplicaSet','metadata':{'name':'web'},'spec':{@}}", replicasets);
}

static void test_a_protection_need_beside_the_template_is_not_lost(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "'labels':{'stube/protection-need':'high'}",
		  "metadata.labels.stube/protection-need: takes effect only in spec.template.metadata, which says otherwise" },
		{ "'annotations':{'stube/on-node-loss':'stop'}",
		  "metadata.annotations.stube/on-node-loss: takes effect only in spec.template.metadata, which says otherwise" },
		{ "'labels':{'app':'web'}", "" },
	};
	struct object *object;

	CHECK_ROWS("{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'web',@},'spec':{" SELECTOR "," TEMPLATE "}}",
		   rows);
	assert_ok(decode("{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'web','labels':"
			 "{'stube/protection-need':'high'}},'spec':{" SELECTOR ",'template':{'metadata':{'labels':{'app':'web',"
			 "'stube/protection-need':'high'}},'spec':{'containers':[{'name':'a'}]}}}}", 0, &object));
}

static void test_shares_round_as_kubernetes_rounds(void **state)
{
	(void)state;
	static const struct { struct count_or_share v; int64_t total, surge, unavailable; } rows[] = {
		{ { 0 }, 3, 1, 0 },
		{ { 0 }, 10, 3, 2 },
		{ { 25, true, true }, 4, 1, 1 },
		{ { 2, false, true }, 10, 2, 2 },
		{ { 0, true, true }, 10, 0, 0 },
		{ { 100, true, true }, 7, 7, 7 },
		{ { 1, true, true }, 100000, 1000, 1000 },
		{ { 50, true, true }, 0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(count_or_share(&rows[i].v, rows[i].total, true), rows[i].surge);
		assert_int_equal(count_or_share(&rows[i].v, rows[i].total, false), rows[i].unavailable);
	}
}

static void test_conditions_keep_their_time_while_the_status_stays(void **state)
{
	(void)state;
	struct conditions list = { 0 };
	struct condition c = { .type = "Ready", .status = CONDITION_FALSE, .transition = { 1 }, .reason = "a" };

	assert_null(condition_find(&list, "Ready"));
	assert_ok(condition_set(arena, &list, &c));
	c.transition.nsec = 2;
	c.reason = "b";
	assert_ok(condition_set(arena, &list, &c));
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].transition.nsec, 1);
	assert_string_equal(list.items[0].reason, "b");
	c.status = CONDITION_TRUE;
	assert_ok(condition_set(arena, &list, &c));
	assert_int_equal(list.items[0].transition.nsec, 2);
	c.type = "DiskPressure";
	assert_ok(condition_set(arena, &list, &c));
	assert_int_equal(list.count, 2);
	assert_string_equal(condition_find(&list, "Ready")->type, "Ready");
}

static void test_resources_are_found_by_name(void **state)
{
	(void)state;
	const struct node *node = (const struct node *)decoded(
		"{'apiVersion':'v1','kind':'Node','metadata':{'name':'a'},'status':{'capacity':{'cpu':'1500m','pods':110},"
		"'conditions':[{'type':'Ready','status':'True'}]}}");

	assert_int_equal(resource_get(&node->status.capacity, "cpu").milli, 1500);
	assert_int_equal(resource_get(&node->status.capacity, "pods").milli, 110000);
	assert_false(resource_get(&node->status.capacity, "memory").given);
	assert_true(node_is_ready(node));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_metadata_is_checked_with_its_path),
		TEST(test_names_have_a_longest_length),
		TEST(test_a_document_says_what_it_is),
		TEST(test_an_error_names_file_line_and_path),
		TEST(test_namespaces),
		TEST(test_nodes),
		TEST(test_claims),
		TEST(test_leases_and_events),
		TEST(test_deployments),
		TEST(test_templates_are_checked_as_pods),
		TEST(test_a_protection_need_beside_the_template_is_not_lost),
		TEST(test_shares_round_as_kubernetes_rounds),
		TEST(test_conditions_keep_their_time_while_the_status_stays),
		TEST(test_resources_are_found_by_name),
	};

	return cmocka_run_group_tests_name("api/objects", tests, NULL, NULL);
}
