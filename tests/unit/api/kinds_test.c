/* tests/unit/api/kinds_test.c: the table of kinds: finding, reading, writing, copying, comparing objects. */
#include "tests/unit/api/api.h"

#include "api/deployment.h"
#include "api/node.h"
#include "api/pod.h"

static const char *const full_files[] = {
	"tests/data/api/full-namespace.json", "tests/data/api/full-node.json", "tests/data/api/full-pod.json",
	"tests/data/api/full-claim.json", "tests/data/api/full-event.json", "tests/data/api/full-deployment.json",
	"tests/data/api/full-replicaset.json", "tests/data/api/full-lease.json",
};

static void test_kinds_are_found_by_what_people_type(void **state)
{
	(void)state;
	static const struct { const char *word; int id; } rows[] = {
		{ "po", KIND_POD }, { "pod", KIND_POD }, { "Pods", KIND_POD }, { "PODS", KIND_POD },
		{ "deploy", KIND_DEPLOYMENT }, { "deployments.apps", KIND_DEPLOYMENT }, { "Deployment", KIND_DEPLOYMENT },
		{ "rs", KIND_REPLICASET }, { "ns", KIND_NAMESPACE }, { "no", KIND_NODE }, { "nodes", KIND_NODE },
		{ "pvc", KIND_CLAIM }, { "persistentvolumeclaim", KIND_CLAIM }, { "ev", KIND_EVENT },
		{ "leases.coordination.k8s.io", KIND_LEASE }, { "lease", KIND_LEASE }, 
		{ "", -1 }, { "pods.", -1 }, { "deployments.batch", -1 }, { "pods.apps", -1 }, { "p", -1 }, { ".apps", -1 }, { "jobs", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct kind *kind = kind_by_word(rows[i].word);
		assert_int_equal(kind ? (int)kind->id : -1, rows[i].id);
	}
}

static void test_the_table_is_in_the_order_of_the_enum(void **state)
{
	(void)state;
	for (size_t i = 0; i < KIND_COUNT; i++) {
		const struct kind *k = &kinds[i];
		assert_int_equal(k->id, i);
		assert_ptr_equal(kind_find(k->api_version, k->name), k);
		assert_ptr_equal(kind_by_path(k->group, k->version, k->plural), k);
		assert_ptr_equal(kind_by_word(k->singular), k);
		const char *version = *k->group ? arena_printf(arena, "%s/%s", k->group, k->version) : k->version;
		assert_string_equal(version, k->api_version);
		assert_int_equal(!!k->spec_type, !!k->spec_offset);
		assert_int_equal(k->status, !!k->status_type);
		assert_non_null(k->rules);
	}
	assert_null(kind_find("v1", "Deployment"));
	assert_null(kind_by_path("apps", "v1", "pods"));
}

static void test_every_member_is_written_as_it_was_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(full_files); i++) {
		auto_str struct str text = STR_INIT(1 << 20), out = STR_INIT(1 << 20), copied = STR_INIT(1 << 20);
		struct object *object, *copy;
		assert_ok(file_read(AT_FDCWD, full_files[i], &text));
		assert_ok(object_decode(arena, full_files[i], text.data, text.len, &kinds[i], 0, &object));
		object_encode(&out, object, 2);
		assert_string_equal(out.data, text.data);
		assert_ok(object_check(object));
		assert_ok(object_copy(arena, object, &copy));
		assert_ptr_not_equal(copy->metadata.name, object->metadata.name);
		object_encode(&copied, copy, 2);
		assert_string_equal(copied.data, text.data);
	}
}

/* The objects of all test documents by their type. */
static struct {
	const struct type *type;
	const json *nodes[256];
	size_t count;
} seen[128];

static void collect(const struct type *type, const json *node)
{
	size_t slot = 0;

	for (size_t i = 0; node->kind == JSON_ARRAY && i < node->array.count; i++)
		collect(type->item, node->array.items[i]);
	for (size_t i = 0; type->kind == T_MAP && i < node->object.count; i++)
		collect(type->item, node->object.members[i].value);
	if (type->kind == T_OPTIONAL)
		collect(type->item, node);
	if (type->kind != T_OBJECT)
		return;
	while (seen[slot].type && seen[slot].type != type)
		assert_true(++slot < ARRAY_LEN(seen));
	assert_true(seen[slot].count < ARRAY_LEN(seen[slot].nodes));
	seen[slot].type = type;
	seen[slot].nodes[seen[slot].count++] = node;
	for (const struct field *f = type->fields; f->key; f++)
		if (!(f->flags & (UNSUPPORTED | IGNORED)) && json_get(node, f->key))
			collect(f->type, json_get(node, f->key));
}

static void test_the_full_documents_hold_every_member(void **state)
{
	(void)state;
	memset(seen, 0, sizeof(seen));
	for (size_t i = 0; i < ARRAY_LEN(full_files); i++) {
		auto_str struct str text = STR_INIT(1 << 20);
		json *tree;
		assert_ok(file_read(AT_FDCWD, full_files[i], &text));
		assert_ok(json_parse(arena, full_files[i], text.data, text.len, &tree));
		collect(kinds[i].type, tree);
	}
	for (size_t i = 0; seen[i].type; i++)
		for (const struct field *f = seen[i].type->fields; f->key; f++) {
			bool found = f->flags & (UNSUPPORTED | IGNORED);
			for (size_t j = 0; j < seen[i].count; j++)
				found = found || json_get(seen[i].nodes[j], f->key);
			if (!found)
				print_error("'%s' of '%s' is in no test document\n", f->key, seen[i].type->name);
			assert_true(found);
		}
}

static void test_what_kubectl_prints_decodes(void **state)
{
	(void)state;
	static const struct { const char *file; enum kind_id id; } rows[] = {
		{ "kubectl-create-deployment.json", KIND_DEPLOYMENT }, { "kubectl-create-deployment-port.json", KIND_DEPLOYMENT },
		{ "kubectl-create-namespace.json", KIND_NAMESPACE }, { "kubectl-run.json", KIND_POD },
		{ "kubectl-run-once.json", KIND_POD }, { "server-deployment.json", KIND_DEPLOYMENT },
		{ "server-pod.json", KIND_POD },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct object *object = decoded_file(arena_printf(arena, "tests/data/api/%s", rows[i].file));
		assert_ptr_equal(kind_of(object), &kinds[rows[i].id]);
		auto_str struct str first = STR_INIT(1 << 16), second = STR_INIT(1 << 16);
		struct object *again;
		object_encode(&first, object, 0);
		assert_ok(object_decode(arena, "again", first.data, first.len, NULL, 0, &again));
		object_encode(&second, again, 0);
		assert_string_equal(first.data, second.data);
	}
}

static void test_a_new_object_has_the_defaults_of_an_empty_document(void **state)
{
	(void)state;
	struct object *object;

	assert_ok(object_new(arena, &kinds[KIND_DEPLOYMENT], &object));
	const struct deployment *d = (const struct deployment *)object;
	assert_string_equal(d->api_version, "apps/v1");
	assert_string_equal(d->kind, "Deployment");
	assert_int_equal(d->spec.replicas, 1);
	assert_int_equal(d->spec.strategy.type, STRATEGY_ROLLING_UPDATE);
	assert_int_equal(d->spec.revision_history_limit, 10);
	assert_int_equal(d->spec.progress_deadline_seconds, 600);
	assert_false(d->spec.strategy.rolling_update.max_surge.given);
	assert_int_equal(d->spec.template.spec.restart, POD_RESTART_ALWAYS);
	assert_err(object_check(object), "Deployment '': spec.template.spec.containers: required but missing");
	/* It can be copied before it is complete. */
	struct object *copy;
	assert_ok(object_copy(arena, object, &copy));
	assert_true(object_same_spec(object, copy));
}

static void test_an_object_built_in_memory_is_checked_by_the_same_rules(void **state)
{
	(void)state;
	struct object *object;

	assert_ok(object_new(arena, &kinds[KIND_NAMESPACE], &object));
	object->metadata.name = "Amt";
	assert_err(object_check(object), "Namespace 'Amt': metadata.name: 'Amt' is not a name of at most 63 lower-case "
					 "letters, digits and '-'");
	object->metadata.name = "amt";
	assert_ok(object_check(object));
	assert_err(object_check(&(struct object){ .kind = "Namespace" }), "an object without a kind");
}

static void test_lenient_decoding_passes_over_what_is_newer(void **state)
{
	(void)state;
	static const char text[] =
		"{'apiVersion':'v1','kind':'Pod','metadata':{'name':'web','shard':7},'spec':{'hostPID':true,'novel':{},"
		"'containers':[{'name':'a','lifecycle':{'preStop':{}},'image':'x'}],'volumes':[{'name':'v','configMap':{'name':'c'}}],"
		"'restartPolicy':'Sometimes'},'status':{'phase':'Dreaming','conditions':[{'type':'Ready','status':'True'}]}}";
	struct object *object;

	assert_refused(decode(text, 0, &object), "metadata.shard: unknown field");
	assert_ok(decode(text, OBJECT_LENIENT, &object));
	const struct pod *pod = (const struct pod *)object;
	assert_int_equal(pod->spec.restart, 0);
	assert_int_equal(pod->status.phase, 0);
	assert_true(pod_is_ready(pod));
	assert_string_equal(pod->spec.containers.items[0].image, "x");
	assert_string_equal(pod_status_word(pod), "Pending");
	struct object *copy;
	assert_ok(object_copy(arena, object, &copy));
	/* What has the wrong form is an error still. */
	assert_refused(decode("{'apiVersion':'v1','kind':'Pod','metadata':{'name':7},'spec':{'containers':[]}}",
			      OBJECT_LENIENT, &object),
		       "metadata.name: expected string, got number");
}

static void test_items_of_a_typed_list_need_not_say_what_they_are(void **state)
{
	(void)state;
	static const char text[] = "{\"metadata\":{\"name\":\"a\"}}";
	struct object *object;

	assert_ok(object_decode(arena, "web.json", text, strlen(text), &kinds[KIND_NODE], OBJECT_LENIENT, &object));
	assert_ptr_equal(kind_of(object), &kinds[KIND_NODE]);
	assert_refused(object_decode(arena, "web.json", text, strlen(text), &kinds[KIND_NODE], 0, &object),
		       "apiVersion: required but missing");
}

static void test_fields_that_selectors_may_name(void **state)
{
	(void)state;
	static const struct { const char *file, *path, *value; } rows[] = {
		{ "full-pod.json", "metadata.name", "web-7d4c5b6f9-x2x2x" },
		{ "full-pod.json", "metadata.namespace", "amt" },
		{ "full-pod.json", "spec.nodeName", "state-1" },
		{ "full-pod.json", "status.phase", "Running" },
		{ "full-pod.json", "spec.restartPolicy", "Always" },
		{ "full-pod.json", "status.podIP", "192.0.2.7" },
		{ "full-pod.json", "spec.hostname", NULL },
		{ "kubectl-run.json", "spec.nodeName", "" },
		{ "kubectl-run.json", "status.phase", "" },
		{ "full-event.json", "involvedObject.kind", "Pod" },
		{ "full-event.json", "involvedObject.name", "web" },
		{ "full-event.json", "involvedObject.namespace", "amt" },
		{ "full-event.json", "involvedObject.uid", "u" },
		{ "full-event.json", "reason", "Pulled" },
		{ "full-event.json", "type", "Normal" },
		{ "full-node.json", "spec.unschedulable", "true" },
		{ "full-node.json", "metadata.namespace", "" },
		{ "full-namespace.json", "status.phase", "Terminating" },
		{ "full-namespace.json", "spec.nodeName", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct object *object = decoded_file(arena_printf(arena, "tests/data/api/%s", rows[i].file));
		const char *value = object_field(object, rows[i].path);
		if (rows[i].value)
			assert_string_equal(value, rows[i].value);
		else
			assert_null(value);
	}
}

static void test_specs_are_compared_without_metadata_and_status(void **state)
{
	(void)state;
	const struct object *a = decoded_file("tests/data/api/full-pod.json");
	struct object *b;

	assert_ok(object_copy(arena, a, &b));
	struct pod *pod = (struct pod *)b;
	b->metadata.resource_version = "43";
	pod->status.phase = POD_FAILED;
	assert_true(object_same_spec(a, b));
	pod->spec.containers.items[0].image = "other";
	assert_false(object_same_spec(a, b));
	assert_false(object_same_spec(a, decoded_file("tests/data/api/full-node.json")));
}

static void test_the_order_of_labels_changes_no_hash(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"{'apiVersion':'v1','kind':'Pod','metadata':{'name':'a','labels':{'a':'1','b':'2'}},"
		"'spec':{'nodeSelector':{'x':'1','y':'2'},'containers':[{'name':'c'}]}}",
		"{'apiVersion':'v1','kind':'Pod','metadata':{'name':'a','labels':{'b':'2','a':'1'}},"
		"'spec':{'containers':[{'name':'c'}],'nodeSelector':{'y':'2','x':'1'}}}",
		"{'apiVersion':'v1','kind':'Pod','metadata':{'name':'a','labels':{'b':'2','a':'1'}},"
		"'spec':{'containers':[{'name':'c'}],'nodeSelector':{'y':'1','x':'2'}}}",
	};
	const struct object *pods[3];
	char hashes[3][17];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		pods[i] = decoded(texts[i]);
		object_hash(&t_pod, pods[i], hashes[i]);
	}
	assert_true(object_same_spec(pods[0], pods[1]));
	assert_string_equal(hashes[0], hashes[1]);
	assert_false(object_same_spec(pods[0], pods[2]));
	assert_string_not_equal(hashes[0], hashes[2]);
}

/* A template's hash names ReplicaSets and Pods in stores that a later release opens: it must never change for a
 * template that did not. A new field has to be left out of the text while it is absent. */
static void test_a_templates_hash_stays_the_same_for_ever(void **state)
{
	(void)state;
	static const struct { const char *file, *hash; } rows[] = {
		{ "full-deployment.json", "8e16102765719a66" },
		{ "kubectl-create-deployment.json", "47e8a29d63c2bc6a" },
		{ "server-deployment.json", "41928d9b2fa70cd6" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char hash[17];
		const struct deployment *d =
			(const struct deployment *)decoded_file(arena_printf(arena, "tests/data/api/%s", rows[i].file));
		object_hash(&t_pod_template, &d->spec.template, hash);
		assert_string_equal(hash, rows[i].hash);
	}
}

static void check_sizes(const struct type *type)
{
	for (const struct field *f = type->fields; f && f->key; f++) {
		if (f->flags & (UNSUPPORTED | IGNORED))
			continue;
		if (f->size != f->type->size)
			print_error("%s.%s: member of %zu bytes, type of %zu\n", type->name, f->key, f->size, f->type->size);
		assert_int_equal(f->size, f->type->size);
		assert_int_not_equal(f->type->kind, T_RAW); /* object_copy() copies none */
		const struct type *t = f->type;
		while (t->item)
			t = t->item;
		check_sizes(t);
	}
}

static void test_every_member_has_the_size_of_its_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < KIND_COUNT; i++)
		check_sizes(kinds[i].type);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kinds_are_found_by_what_people_type),
		TEST(test_the_table_is_in_the_order_of_the_enum),
		TEST(test_every_member_is_written_as_it_was_read),
		TEST(test_the_full_documents_hold_every_member),
		TEST(test_what_kubectl_prints_decodes),
		TEST(test_a_new_object_has_the_defaults_of_an_empty_document),
		TEST(test_an_object_built_in_memory_is_checked_by_the_same_rules),
		TEST(test_lenient_decoding_passes_over_what_is_newer),
		TEST(test_items_of_a_typed_list_need_not_say_what_they_are),
		TEST(test_fields_that_selectors_may_name),
		TEST(test_specs_are_compared_without_metadata_and_status),
		TEST(test_the_order_of_labels_changes_no_hash),
		TEST(test_a_templates_hash_stays_the_same_for_ever),
		TEST(test_every_member_has_the_size_of_its_type),
	};

	return cmocka_run_group_tests_name("api/kinds", tests, NULL, NULL);
}
