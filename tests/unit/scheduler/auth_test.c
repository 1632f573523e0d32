/* tests/unit/scheduler/auth_test.c: each identity with each verb on each resource, against docs/scheduler-roles.txt. */
#include "tests/unit/scheduler/objects-fixture.h"

#include <fcntl.h>

#include "base/file.h"
#include "scheduler/auth.h"

static struct world w;

static const struct peer admin = { .kind = PEER_CERTIFICATE, .name = "anna", .groups = (const char *const[]){ "system:masters", NULL } };
static const struct peer viewer = { .kind = PEER_CERTIFICATE, .name = "vera", .groups = (const char *const[]){ "stube:viewers", NULL } };
static const struct peer node1 = { .kind = PEER_CERTIFICATE, .name = "system:node:n1", .groups = (const char *const[]){ "system:nodes", NULL } };
static const struct peer stranger = { .kind = PEER_CERTIFICATE, .name = "system:node:n1", .groups = (const char *const[]){ "others", NULL } };
static const struct peer no_node = { .kind = PEER_CERTIFICATE, .name = "n1", .groups = (const char *const[]){ "system:nodes", NULL } };
static const struct peer root = { .kind = PEER_UNIX, .uid = 0 };
static const struct peer self = { .kind = PEER_UNIX, .uid = 4711 };
static const struct peer user = { .kind = PEER_UNIX, .uid = 1000 };
static const struct peer nobody = { .kind = PEER_ANONYMOUS };

static int setup(void **state)
{
	(void)state;
	world_make(&w);
	assert_int_equal(world_create(&w, NODE("n1")), 0);
	assert_int_equal(world_create(&w, NODE("n2")), 0);
	assert_int_equal(world_create(&w, CLAIM("claim-own")), 0);
	assert_int_equal(world_create(&w, CLAIM("claim-other")), 0);
	assert_int_equal(world_create(&w, POD("own", WITH_CLAIM("claim-own"))), 0);
	assert_int_equal(world_create(&w, POD("other", WITH_CLAIM("claim-other"))), 0);
	assert_int_equal(world_create(&w, POD("waiting", "")), 0);
	assert_int_equal(world_bind(&w, "own", "n1"), 0);
	assert_int_equal(world_bind(&w, "other", "n2"), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done_with(&w);
	return 0;
}

static bool may(const struct peer *peer, const struct access *access)
{
	struct identity who;

	identity_of(peer, 4711, &who);
	auto_err err *e = auth_access(&who, w.cache, access);
	if (e)
		assert_int_equal(e->code, peer->kind == PEER_ANONYMOUS ? EACCES : EPERM);
	return !e;
}

static const enum verb verbs[] = { VERB_GET, VERB_LIST, VERB_WATCH, VERB_CREATE, VERB_UPDATE, VERB_PATCH, VERB_DELETE, VERB_DELETE_ALL };

/* One line: which verbs. */
static void add_line(struct str *out, const char *who, const struct peer *peer, const char *what, struct access access)
{
	size_t before;

	str_addf(out, "%-14s  %-38s ", who, what);
	before = out->len;
	for (size_t v = 0; v < ARRAY_LEN(verbs); v++) {
		access.verb = verbs[v];
		/* An object's verbs need its name, a collection's do not have one; a new one's is in its body. */
		bool named = verbs[v] & (VERB_GET | VERB_UPDATE | VERB_PATCH | VERB_DELETE) || access.subresource;
		const char *name = access.name;
		if (!named)
			access.name = NULL;
		if (may(peer, &access))
			str_addf(out, " %s", verb_name(verbs[v]));
		access.name = name;
	}
	str_add(out, out->len == before ? " -\n" : "\n");
}

static void test_every_identity_may_what_the_golden_table_says(void **state)
{
	(void)state;
	const struct {
		const char *name;
		const struct peer *peer;
	} who[] = {
		{ "root", &root }, { "own uid", &self }, { "administrator", &admin }, { "viewer", &viewer }, { "node n1", &node1 },
		{ "other uid", &user }, { "stranger", &stranger }, { "no node name", &no_node }, { "anonymous", &nobody },
	};
	const struct field_selector own_pods = { &(struct field_term){ "spec.nodeName", "n1", false }, 1 };
	const struct field_selector other_pods = { &(struct field_term){ "spec.nodeName", "n2", false }, 1 };
	const struct field_selector not_own = { &(struct field_term){ "spec.nodeName", "n1", true }, 1 };
	const struct field_selector own_node = { &(struct field_term){ "metadata.name", "n1", false }, 1 };
#define KIND(id) .kind = &kinds[KIND_##id]
	const struct {
		const char *what;
		struct access access;
	} rows[] = {
		{ "namespaces default", { KIND(NAMESPACE), .name = "default" } },
		{ "nodes n1, metadata.name=n1", { KIND(NODE), .name = "n1", .fields = &own_node } },
		{ "nodes/status n1", { KIND(NODE), .name = "n1", .subresource = "status" } },
		{ "nodes n2", { KIND(NODE), .name = "n2" } },
		{ "nodes/status n2", { KIND(NODE), .name = "n2", .subresource = "status" } },
		{ "pods on n1, spec.nodeName=n1", { KIND(POD), .namespace = "default", .name = "own", .fields = &own_pods } },
		{ "pods/status on n1", { KIND(POD), .namespace = "default", .name = "own", .subresource = "status" } },
		{ "pods/log on n1", { KIND(POD), .namespace = "default", .name = "own", .subresource = "log" } },
		{ "pods/exec on n1", { KIND(POD), .namespace = "default", .name = "own", .subresource = "exec" } },
		{ "pods/binding", { KIND(POD), .namespace = "default", .name = "waiting", .subresource = "binding" } },
		{ "pods/eviction", { KIND(POD), .namespace = "default", .name = "own", .subresource = "eviction" } },
		{ "pods on n2, spec.nodeName=n2", { KIND(POD), .namespace = "default", .name = "other", .fields = &other_pods } },
		{ "pods/status on n2", { KIND(POD), .namespace = "default", .name = "other", .subresource = "status" } },
		{ "pods on no node, spec.nodeName!=n1", { KIND(POD), .namespace = "default", .name = "waiting", .fields = &not_own } },
		{ "pods that are not there", { KIND(POD), .namespace = "default", .name = "none" } },
		{ "persistentvolumeclaims of pods on n1", { KIND(CLAIM), .namespace = "default", .name = "claim-own" } },
		{ "persistentvolumeclaims of pods on n2", { KIND(CLAIM), .namespace = "default", .name = "claim-other" } },
		{ "events", { KIND(EVENT), .namespace = "default", .name = "e" } },
		{ "deployments", { KIND(DEPLOYMENT), .namespace = "default", .name = "d" } },
		{ "deployments/scale", { KIND(DEPLOYMENT), .namespace = "default", .name = "d", .subresource = "scale" } },
		{ "replicasets", { KIND(REPLICASET), .namespace = "default", .name = "r" } },
		{ "leases kube-node-lease/n1", { KIND(LEASE), .namespace = "kube-node-lease", .name = "n1" } },
		{ "leases kube-node-lease/n2", { KIND(LEASE), .namespace = "kube-node-lease", .name = "n2" } },
		{ "leases default/n1", { KIND(LEASE), .namespace = "default", .name = "n1" } },
	};
	auto_str struct str actual = STR_INIT(1 << 18), golden = STR_INIT(1 << 18);

	for (size_t i = 0; i < ARRAY_LEN(who); i++)
		for (size_t k = 0; k < ARRAY_LEN(rows); k++)
			add_line(&actual, who[i].name, who[i].peer, rows[k].what, rows[k].access);
	if (getenv("UPDATE"))
		assert_ok(file_replace_volatile(AT_FDCWD, "docs/scheduler-roles.txt", actual.data, actual.len, 0644));
	assert_ok(file_read(AT_FDCWD, "docs/scheduler-roles.txt", &golden));
	assert_string_equal(actual.data, golden.data);
}

#define OWN_EVENT(kind, name)                                                                          \
	"{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"metadata\":{\"name\":\"e\",\"namespace\":\"default\"},\"involvedObject\":{" \
	"\"kind\":\"" kind "\",\"namespace\":\"default\",\"name\":\"" name "\"},\"reason\":\"R\",\"type\":\"Normal\"}"
#define NODE_WITH(name, labels, spec)                                                                  \
	"{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"" name "\",\"labels\":{" labels "}},\"spec\":{" spec "}}"
#define OWNED_NODE(name)                                                          \
	"{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"" name \
	"\",\"ownerReferences\":[{"                                               \
	"\"apiVersion\":\"v1\",\"kind\":\"Node\",\"name\":\"x\",\"uid\":\"x\",\"controller\":true}]}}"
#define PLACELESS_EVENT(name)                                                                                \
	"{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"metadata\":{\"name\":\"e\",\"namespace\":\"default\"}," \
	"\"involvedObject\":{"                                                                               \
	"\"kind\":\"Pod\",\"name\":\"" name "\"},\"reason\":\"R\",\"type\":\"Normal\"}"
#define HOST	   "\"kubernetes.io/hostname\":"
#define RESTRICTED "\"node-restriction.kubernetes.io/a\":"
#define CLASS "\"stube/protection-class\":"
#define POD_ON(name, node, more)                                                                       \
	"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name "\",\"namespace\":\"default\"" more "},\"spec\":{\"nodeName\":\"" \
	node "\",\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"
#define GOES ",\"deletionTimestamp\":\"2026-11-24T00:00:00Z\",\"deletionGracePeriodSeconds\":30"

static void test_a_node_writes_only_what_is_its_own(void **state)
{
	(void)state;
	static const struct {
		enum kind_id kind;
		enum verb verb;
		const char *now, *next;
		const char *error; /* NULL: it may */
	} rows[] = {
		{ KIND_NODE, VERB_CREATE, NULL, NODE_WITH("n1", CLASS "\"high\"", ""), NULL },
		{ KIND_NODE, VERB_CREATE, NULL, NODE_WITH("n2", "", ""), ": it is another node's" },
		{ KIND_NODE, VERB_PATCH, NODE_WITH("n1", "", ""), NODE_WITH("n1", "\"a\":\"b\"", ""), NULL },
		{ KIND_NODE, VERB_PATCH, NODE_WITH("n1", CLASS "\"high\"", ""),
		  NODE_WITH("n1", CLASS "\"very-high\"", ""),
		  ": the label 'stube/protection-class' is an administrator's" },
		{ KIND_NODE, VERB_UPDATE, NODE_WITH("n1", "", ""), NODE_WITH("n1", CLASS "\"high\"", ""),
		  ": the label 'stube/protection-class' is an administrator's" },
		{ KIND_NODE, VERB_PATCH, NODE_WITH("n1", "", "\"unschedulable\":true"),
		  NODE_WITH("n1", "", ""), ": taints and cordon are an administrator's" },
		{ KIND_NODE, VERB_PATCH,
		  NODE_WITH("n1", "", "\"taints\":[{\"key\":\"a\",\"effect\":\"NoSchedule\"}]"),
		  NODE_WITH("n1", "", ""), ": taints and cordon are an administrator's" },
		{ KIND_NODE, VERB_CREATE, NULL, NODE_WITH("n1", HOST "\"n1\"", ""), NULL },
		{ KIND_NODE, VERB_CREATE, NULL, NODE_WITH("n1", HOST "\"n2\"", ""),
		  ": another 'kubernetes.io/hostname' than its name is an administrator's" },
		{ KIND_NODE, VERB_PATCH, NODE_WITH("n1", HOST "\"n1\"", ""),
		  NODE_WITH("n1", HOST "\"n2\"", ""),
		  ": another 'kubernetes.io/hostname' than its name is an administrator's" },
		{ KIND_NODE, VERB_PATCH, NODE_WITH("n1", HOST "\"x\"", ""),
		  NODE_WITH("n1", HOST "\"x\",\"a\":\"b\"", ""), NULL },
		{ KIND_NODE, VERB_CREATE, NULL, NODE_WITH("n1", RESTRICTED "\"x\"", ""),
		  ": the label 'node-restriction.kubernetes.io/a' is an administrator's" },
		{ KIND_NODE, VERB_PATCH, NODE_WITH("n1", RESTRICTED "\"x\"", ""),
		  NODE_WITH("n1", RESTRICTED "\"y\"", ""),
		  ": the label 'node-restriction.kubernetes.io/a' is an administrator's" },
		{ KIND_NODE, VERB_PATCH, NODE_WITH("n1", RESTRICTED "\"x\"", ""), NODE_WITH("n1", "", ""),
		  ": the label 'node-restriction.kubernetes.io/a' is an administrator's" },
		{ KIND_NODE, VERB_PATCH, NODE_WITH("n1", "", ""), OWNED_NODE("n1"),
		  ": owners are an administrator's" },
		{ KIND_NODE, VERB_CREATE, NULL, OWNED_NODE("n1"), ": owners are an administrator's" },
		{ KIND_NODE, VERB_PATCH, OWNED_NODE("n1"), OWNED_NODE("n1"), NULL },
		{ KIND_POD, VERB_DELETE, POD_ON("a", "n1", GOES), NULL, NULL },
		{ KIND_POD, VERB_DELETE, POD_ON("a", "n1", ""), NULL, ": nobody has deleted it" },
		{ KIND_POD, VERB_DELETE, POD_ON("a", "n2", GOES), NULL, ": it is another node's" },
		{ KIND_POD, VERB_PATCH, POD_ON("a", "n2", ""), POD_ON("a", "n2", ""),
		  ": it is another node's" },
		{ KIND_POD, VERB_PATCH, POD_ON("a", "n1", ""), POD_ON("a", "n1", ""), NULL },
		{ KIND_EVENT, VERB_CREATE, NULL, OWN_EVENT("Pod", "own"), NULL },
		{ KIND_EVENT, VERB_CREATE, NULL, OWN_EVENT("Pod", "gone"), NULL },
		{ KIND_EVENT, VERB_CREATE, NULL, OWN_EVENT("Pod", "other"),
		  ": it is about another node's Pod" },
		{ KIND_EVENT, VERB_PATCH, OWN_EVENT("Pod", "other"), OWN_EVENT("Pod", "own"),
		  ": it is about another node's Pod" },
		{ KIND_EVENT, VERB_CREATE, NULL, PLACELESS_EVENT("other"),
		  ": it is about another node's Pod" },
		{ KIND_EVENT, VERB_CREATE, NULL, PLACELESS_EVENT("own"), NULL },
		{ KIND_EVENT, VERB_CREATE, NULL, OWN_EVENT("Node", "n1"), NULL },
		{ KIND_EVENT, VERB_CREATE, NULL, OWN_EVENT("Node", "n2"), ": it is about another node" },
		{ KIND_EVENT, VERB_CREATE, NULL, OWN_EVENT("Deployment", "d"),
		  ": it is about neither its Pods nor itself" },
		{ KIND_CLAIM, VERB_PATCH, CLAIM("claim-own"), CLAIM("claim-own"), ": it only reads them" },
	};
	struct identity who;

	identity_of(&node1, 4711, &who);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct access access = { .verb = rows[i].verb, .kind = &kinds[rows[i].kind] };
		auto_err err *e = auth_write(&who, w.cache, &access, rows[i].now ? world_object(&w, rows[i].now) : NULL,
					     rows[i].next ? world_object(&w, rows[i].next) : NULL);
		auto_str struct str text = STR_INIT(4096);

		if (!rows[i].error) {
			assert_null(e);
			continue;
		}
		assert_non_null(e);
		err_format(e, &text);
		if (!str_ends_with(text.data, rows[i].error))
			fail_msg("row %zu: '%s' does not end in '%s'", i, text.data, rows[i].error);
	}
}

static void test_viewers_write_nothing_and_nodes_see_claims_whose_data_they_have(void **state)
{
	(void)state;
	const struct access access = { .verb = VERB_PATCH, .kind = &kinds[KIND_POD] };
	struct identity who;

	identity_of(&viewer, 4711, &who);
	assert_err(auth_write(&who, w.cache, &access, NULL, NULL), "'vera' may not patch pods");
	assert_true(auth_sees(&who, world_get(&w, KIND_CLAIM, "default", "claim-other")));
	identity_of(&node1, 4711, &who);
	assert_true(auth_sees(&who, world_get(&w, KIND_CLAIM, "default", "claim-own")));
	assert_false(auth_sees(&who, world_get(&w, KIND_CLAIM, "default", "claim-other")));
}

static void test_without_a_name_only_signs_of_life_are_to_be_had(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		bool anonymous, node, viewer;
	} rows[] = {
		{ "/healthz", true, true, true },   { "/livez", true, true, true },      { "/readyz", true, true, true },
		{ "/version", true, true, true },   { "/api", false, true, true },       { "/apis/apps/v1", false, true, true },
		{ "/metrics", false, false, true }, { "/apis/stube/v1/plan", false, false, true },
		{ "/apis/stube/v1/explain/namespaces/default/pods/a", false, false, true },
		{ "/apis/stube/v1/secret", false, false, false }, { "/other", false, false, false },
	};
	const struct peer *const peers[] = { &nobody, &node1, &viewer };
	struct identity who;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int p = 0; p < 3; p++) {
			bool expected = p == 0 ? rows[i].anonymous : p == 1 ? rows[i].node : rows[i].viewer;
			identity_of(peers[p], 4711, &who);
			auto_err err *e = auth_path(&who, "GET", rows[i].path);
			if (expected != !e)
				fail_msg("%s as %s", rows[i].path, who.name);
			if (e)
				assert_int_equal(e->code, p == 0 ? EACCES : EPERM);
		}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_every_identity_may_what_the_golden_table_says),
		T(test_a_node_writes_only_what_is_its_own),
		T(test_viewers_write_nothing_and_nodes_see_claims_whose_data_they_have),
		T(test_without_a_name_only_signs_of_life_are_to_be_had),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
