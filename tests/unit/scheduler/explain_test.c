/* tests/unit/scheduler/explain_test.c: why a Pod is where it is, what a manifest would do, what a drain would do. */
#include "tests/unit/scheduler/cluster.h"

static int set_up(void **state)
{
	cluster_set_up(state);
	struct cluster *c = *state;
	assert_ok(binder_new(&c->s, &c->s.binder));
	return 0;
}

static const struct entry *entry(struct cluster *c, enum kind_id kind, const char *name)
{
	return cache_get(c->s.cache, kind, kinds[kind].namespaced ? "default" : NULL, name);
}

/* The answer without the moment, which no test can know. */
static void assert_explained(struct cluster *c, const char *pod, const char *text)
{
	auto_str struct str out = STR_INIT(1 << 20);

	assert_ok(explain_pod(&c->s, entry(c, KIND_POD, pod), &out));
	char *since = strstr(out.data, ",\"since\":\"");
	if (since) {
		char *end = strchr(since + 10, '"') + 1;
		memmove(since, end, strlen(end) + 1);
	}
	assert_string_equal(out.data, text);
}

static void test_a_pod_that_runs_says_where(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_node(c, "b", "500m", "1Gi", "");
	cluster_pod(c, "web", "600m", "1Mi");
	assert_string_equal(cluster_bound(c, "web"), "a");
#define BOTH                                                                                                          \
	"\"nodes\":[{\"node\":\"a\",\"fits\":true},{\"node\":\"b\",\"fits\":false,\"reason\":\"not enough cpu\","     \
	"\"detail\":\"needs 600m, 500m of 500m are free\"}]}"
	assert_explained(c, "web",
			 "{\"namespace\":\"default\",\"name\":\"web\",\"phase\":\"Pending\",\"node\":\"a\","
			 "\"summary\":\"is being started on 'a'\"," BOTH);
	cluster_patch(c, KIND_POD, "web", "status",
		      "{\"status\":{\"phase\":\"Running\",\"startTime\":\"2026-11-24T08:00:00Z\","
		      "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}");
	assert_explained(c, "web",
			 "{\"namespace\":\"default\",\"name\":\"web\",\"phase\":\"Running\",\"node\":\"a\","
			 "\"summary\":\"runs on 'a'\"," BOTH);
}

/* Only the sentence. */
static const char *summary(struct cluster *c, const char *pod)
{
	auto_str struct str out = STR_INIT(1 << 20);
	json *tree = NULL;

	assert_ok(explain_pod(&c->s, entry(c, KIND_POD, pod), &out));
	assert_ok(json_parse(c->a, "answer", arena_strdup(c->a, out.data), out.len, &tree));
	return json_get_string(tree, "summary");
}

static void test_a_placed_pod_says_what_its_containers_wait_for(void **state)
{
	struct cluster *c = *state;
	auto_str struct str patch = STR_INIT(1 << 16);

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_pod(c, "web", "600m", "1Mi");
	cluster_bound(c, "web");
#define CONTAINER(members) "{\"status\":{\"containerStatuses\":[{\"name\":\"main\"," members "}]}}"
	cluster_patch(c, KIND_POD, "web", "status",
		      CONTAINER("\"state\":{\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":\"no "
				"such host\"}}"));
	assert_string_equal(
		summary(c, "web"),
		"is being started on 'a'; container 'main' waits: ImagePullBackOff: no such host");
#define LAST "\"terminated\":{\"exitCode\":3,\"reason\":\"Error\",\"finishedAt\":\"2026-11-24T08:00:00Z\"}"
	cluster_patch(c, KIND_POD, "web", "status",
		      CONTAINER(
			      "\"restartCount\":4,\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}},"
			      "\"lastState\":{" LAST "}"));
	assert_string_equal(summary(c, "web"),
			    "is being started on 'a'; container 'main' waits: CrashLoopBackOff, restarted 4 "
			    "times, before it ended with 3 (Error) at 2026-11-24T08:00:00Z");
	cluster_patch(c, KIND_POD, "web", "status",
		      CONTAINER(
			      "\"restartCount\":1,\"state\":{\"running\":{}},\"lastState\":{\"terminated\":{"
			      "\"exitCode\":137,\"signal\":9,\"reason\":\"OOMKilled\"}}"));
	assert_string_equal(summary(c, "web"),
			    "is being started on 'a'; container 'main' runs, restarted once, before it "
			    "ended by signal 9 (OOMKilled)");
	/* A message of any length is cut, and not in the middle of a character. */
	str_add(&patch, "{\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"x");
	for (int i = 0; i < 1000; i++)
		str_add(&patch, "\u00e4");
	str_add(&patch, "\",\"containerStatuses\":null}}");
	cluster_patch(c, KIND_POD, "web", "status", patch.data);
	const char *told = summary(c, "web");
	assert_int_equal(strlen(told), strlen("has ended on 'a'; Evicted: x...") + 398);
	assert_true(str_ends_with(told, "\u00e4..."));
}

#define PENDING(summary, nodes, help)                                                                                 \
	"{\"namespace\":\"default\",\"name\":\"web\",\"phase\":\"Pending\",\"summary\":\"" summary "\",\"nodes\":["    \
	nodes "],\"help\":\"" help "\"}"
#define REFUSED(node, reason, detail)                                                                                 \
	"{\"node\":\"" node "\",\"fits\":false,\"reason\":\"" reason "\",\"detail\":\"" detail "\"}"

static void test_a_pod_that_waits_says_why_and_what_would_help(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_node(c, "b", "2", "512Mi", "");
	cluster_pod(c, "web", "2", "1Gi");
	cluster_refused(c, "web");
	assert_explained(c, "web",
			 PENDING("0 of 2 nodes fit: 1 not enough cpu, 1 not enough memory",
				 REFUSED("a", "not enough cpu", "needs 2, 1 of 1 are free") "," REFUSED(
					 "b", "not enough memory", "needs 1Gi, 512Mi of 512Mi are free"),
				 "1 more cpu on 'a'"));
	cluster_node(c, "c", "2", "1Gi", "");
	cluster_bound(c, "web");
}

static void test_a_cordon_is_the_first_thing_to_lift(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_node(c, "b", "4", "4Gi", "");
	cluster_patch(c, KIND_NODE, "b", NULL, "{\"spec\":{\"unschedulable\":true}}");
	cluster_pod(c, "web", "2", "1Gi");
	cluster_refused(c, "web");
	assert_explained(c, "web",
			 PENDING("0 of 2 nodes fit: 1 cordoned, 1 not enough cpu",
				 REFUSED("a", "not enough cpu", "needs 2, 1 of 1 are free") ",{\"node\":\"b\",\"fits\":false,"
				 "\"reason\":\"cordoned\"}",
				 "the cordon of 'b' lifted"));
}

static void test_where_one_change_is_not_enough_another_node_is_described(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_create(c, cluster_pod_text(c, "web", "2", "1536Mi", "\"stube/protection-need\":\"high\"", ""));
	cluster_refused(c, "web");
	assert_explained(c, "web",
			 PENDING("0 of 1 nodes fit: 1 protection class too low",
				 REFUSED("a", "protection class too low", "its class is normal, the Pod needs high"),
				 "another node of protection class high with 2 cpu and 1536Mi memory free"));
}

static const char claim[] = "{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":\"data\"},"
			    "\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],"
			    "\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}}}";
#define VOLUME ",\"volumes\":[{\"name\":\"v\",\"persistentVolumeClaim\":{\"claimName\":\"data\"}}]"

static void lose(struct cluster *c, const char *node)
{
	cluster_patch(c, KIND_NODE, node, NULL,
		      "{\"spec\":{\"taints\":[{\"key\":\"node.kubernetes.io/unreachable\",\"effect\":\"NoExecute\","
		      "\"timeAdded\":\"2026-11-24T08:00:00Z\"}]}}");
}

static void test_a_pod_waits_for_the_node_with_its_data(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "state-1", "1", "1Gi", "");
	cluster_create(c, claim);
	cluster_create(c, cluster_pod_text(c, "first", "100m", "1Mi", "", VOLUME));
	assert_string_equal(cluster_bound(c, "first"), "state-1");
	cluster_node(c, "b", "1", "1Gi", "");
	lose(c, "state-1");
	assert_explained(c, "first",
			 "{\"namespace\":\"default\",\"name\":\"first\",\"phase\":\"Pending\",\"node\":\"state-1\","
			 "\"summary\":\"waits for node 'state-1', lost since 2026-11-24T08:00:00Z, where the data of claim "
			 "'data' is\",\"nodes\":["
			 REFUSED("b", "the volume's data is elsewhere", "it is on 'state-1'") ","
			 REFUSED("state-1", "not ready", "node.kubernetes.io/unreachable:NoExecute") "]}");
	cluster_create(c, cluster_pod_text(c, "web", "100m", "1Mi", "", VOLUME));
	cluster_refused(c, "web");
	assert_explained(c, "web",
			 PENDING("waits for node 'state-1', lost since 2026-11-24T08:00:00Z, where the data of claim "
				 "'data' is",
				 REFUSED("b", "the volume's data is elsewhere", "it is on 'state-1'") ","
				 REFUSED("state-1", "not ready", "node.kubernetes.io/unreachable:NoExecute"),
				 "'state-1' ready again"));
}

static void test_a_missing_claim_is_named(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_create(c, cluster_pod_text(c, "web", "100m", "1Mi", "", VOLUME));
	cluster_refused(c, "web");
	assert_explained(c, "web",
			 "{\"namespace\":\"default\",\"name\":\"web\",\"phase\":\"Pending\",\"summary\":\"claim 'data' is "
			 "not there\",\"nodes\":[{\"node\":\"a\",\"fits\":true}]}");
}

/* ---- plan ---- */

static void assert_plan(struct cluster *c, const char *manifest, const char *text)
{
	auto_str struct str out = STR_INIT(1 << 20);

	assert_ok(explain_plan(&c->s, manifest, strlen(manifest), &out));
	assert_string_equal(out.data, text);
}

static const char *list(struct cluster *c, const char *items)
{
	return arena_printf(c->a, "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[%s]}", items);
}

static const char *deployment(struct cluster *c, const char *replicas, const char *image, const char *cpu,
			      const char *more)
{
	return arena_printf(c->a,
			    "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\"},"
			    "\"spec\":{%s\"selector\":{\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"metadata\":"
			    "{\"labels\":{\"app\":\"web\"}},\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"%s\","
			    "\"resources\":{\"requests\":{\"cpu\":\"%s\"}}}]%s}}}}",
			    replicas, image, cpu, more);
}

static void test_a_plan_says_where_instances_would_go(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_node(c, "b", "1", "1Gi", "");
	assert_plan(c, list(c, deployment(c, "\"replicas\":3,", "web:1", "500m", "")),
		    "{\"items\":[{\"kind\":\"Deployment\",\"namespace\":\"default\",\"name\":\"web\",\"action\":\"create\","
		    "\"placements\":[{\"node\":\"a\",\"instances\":2},{\"node\":\"b\",\"instances\":1}]}],\"fits\":true}");
	assert_plan(c, list(c, deployment(c, "\"replicas\":3,", "web:1", "700m", "")),
		    "{\"items\":[{\"kind\":\"Deployment\",\"namespace\":\"default\",\"name\":\"web\",\"action\":\"create\","
		    "\"placements\":[{\"node\":\"a\",\"instances\":1},{\"node\":\"b\",\"instances\":1},"
		    "{\"summary\":\"0 of 2 nodes fit: 2 not enough cpu\",\"instances\":1}]}],\"fits\":false}");
	/* Nothing of it has happened. */
	cluster_pod(c, "one", "1", "1Mi");
	assert_string_equal(cluster_bound(c, "one"), "a");
}

static void test_a_plan_names_what_changes(void **state)
{
	struct cluster *c = *state;

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_create(c, deployment(c, "\"replicas\":2,", "web:1", "500m", ""));
	assert_plan(c, list(c, deployment(c, "\"replicas\":2,", "web:1", "500m", "")),
		    "{\"items\":[{\"kind\":\"Deployment\",\"namespace\":\"default\",\"name\":\"web\",\"action\":\"nothing\""
		    "}],\"fits\":true}");
	/* Who does not say how many leaves it as it is. */
	assert_plan(c, list(c, deployment(c, "", "web:1", "500m", "")),
		    "{\"items\":[{\"kind\":\"Deployment\",\"namespace\":\"default\",\"name\":\"web\",\"action\":\"nothing\""
		    "}],\"fits\":true}");
	assert_plan(c, list(c, deployment(c, "", "web:2", "400m", "")),
		    "{\"items\":[{\"kind\":\"Deployment\",\"namespace\":\"default\",\"name\":\"web\",\"action\":\"change\","
		    "\"replacesPods\":true,\"changed\":[\"spec.template.spec.containers[0].image\","
		    "\"spec.template.spec.containers[0].resources.requests.cpu\"],"
		    "\"placements\":[{\"node\":\"a\",\"instances\":2}]}],\"fits\":true}");
	assert_plan(c, list(c, deployment(c, "\"replicas\":3,", "web:1", "500m", "")),
		    "{\"items\":[{\"kind\":\"Deployment\",\"namespace\":\"default\",\"name\":\"web\",\"action\":\"change\","
		    "\"changed\":[\"spec.replicas\"],\"placements\":[{\"node\":\"a\",\"instances\":1}]}],\"fits\":true}");
}

static void test_a_plan_sees_what_apply_would_take_away(void **state)
{
	struct cluster *c = *state;

	cluster_create(c,
		       "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"labels\":{"
		       "\"a\":\"1\","
		       "\"b\":\"2\",\"other\":\"x\"},\"annotations\":{\"kubectl.kubernetes.io/"
		       "last-applied-configuration\":"
		       "\"{\\\"metadata\\\":{\\\"labels\\\":{\\\"a\\\":\\\"1\\\",\\\"b\\\":\\\"2\\\"}}}\"}},"
		       "\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"web:1\"}]}}");
	assert_plan(
		c,
		list(c,
		     "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"labels\":{\"a\":"
		     "\"3\"}},\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"web:1\"}]}}"),
		"{\"items\":[{\"kind\":\"Pod\",\"namespace\":\"default\",\"name\":\"p\",\"action\":"
		"\"change\","
		"\"changed\":[\"metadata.labels.a\",\"metadata.labels.b\"]}],\"fits\":true}");
}

static void test_a_plan_knows_the_claims_that_it_brings(void **state)
{
	struct cluster *c = *state;
	const char *d = deployment(c, "\"replicas\":2,", "web:1", "500m", VOLUME);

	cluster_node(c, "a", "1", "1Gi", "");
	cluster_node(c, "b", "600m", "1Gi", "");
	assert_plan(c, list(c, d),
		    "{\"items\":[{\"kind\":\"Deployment\",\"namespace\":\"default\",\"name\":\"web\",\"action\":\"create\","
		    "\"placements\":[{\"summary\":\"claim 'data' is not there\",\"instances\":2}]}],\"fits\":false}");
	/* The data is where the first one went. */
	assert_plan(c, list(c, arena_printf(c->a, "%s,%s", d, claim)),
		    "{\"items\":[{\"kind\":\"Deployment\",\"namespace\":\"default\",\"name\":\"web\",\"action\":\"create\","
		    "\"placements\":[{\"node\":\"b\",\"instances\":1},{\"summary\":\"0 of 2 nodes fit: 1 the volume's data "
		    "is elsewhere, 1 not enough cpu\",\"instances\":1}]},{\"kind\":\"PersistentVolumeClaim\","
		    "\"namespace\":\"default\",\"name\":\"data\",\"action\":\"create\"}],\"fits\":false}");
}

static void test_a_plan_of_a_wrong_manifest_names_the_field(void **state)
{
	struct cluster *c = *state;
	auto_str struct str out = STR_INIT(1 << 20);
	static const char text[] = "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{\"apiVersion\":\"v1\",\"kind\":\"Pod\","
				   "\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[],\"colour\":1}}]}";

	assert_err_code(explain_plan(&c->s, text, strlen(text), &out), EINVAL);
	assert_err_code(explain_plan(&c->s, "{", 1, &out), EINVAL);
}

/* ---- drain ---- */

static void test_a_drain_forecasts_each_pod(void **state)
{
	struct cluster *c = *state;
	auto_str struct str out = STR_INIT(1 << 20);
	static const char owned[] = "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\","
				    "\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":\"r\","
				    "\"uid\":\"%s\",\"controller\":true}]},\"spec\":{\"containers\":[{\"name\":\"main\","
				    "\"image\":\"web:1\",\"resources\":{\"requests\":{\"cpu\":\"400m\"}}}]%s}}";

	cluster_node(c, "a", "2", "1Gi", "");
	cluster_create(c, claim);
	cluster_pod(c, "alone", "400m", "1Mi");
	cluster_bound(c, "alone");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	cluster_create(c, arena_printf(c->a, owned, "data", "u1", VOLUME));
	cluster_bound(c, "data");
	cluster_create(c, arena_printf(c->a, owned, "one", "u2", ""));
	cluster_bound(c, "one");
	cluster_create(c, arena_printf(c->a, owned, "two", "u3", ""));
	cluster_bound(c, "two");
#pragma GCC diagnostic pop
	cluster_node(c, "b", "500m", "1Gi", "");
	assert_ok(explain_drain(&c->s, "a", &out));
	assert_string_equal(
		out.data,
		"{\"node\":\"a\",\"pods\":[{\"namespace\":\"default\",\"name\":\"alone\",\"summary\":\"no Deployment makes "
		"it anew\"},{\"namespace\":\"default\",\"name\":\"data\",\"summary\":\"the data of claim 'data' is on 'a'\"},"
		"{\"namespace\":\"default\",\"name\":\"one\",\"node\":\"b\"},{\"namespace\":\"default\",\"name\":\"two\","
		"\"summary\":\"0 of 2 nodes fit: 1 cordoned, 1 not enough cpu\"}],\"fits\":false}");
	str_clear(&out);
	assert_ok(explain_drain(&c->s, "b", &out));
	assert_string_equal(out.data, "{\"node\":\"b\",\"fits\":true}");
	assert_err(explain_drain(&c->s, "c", &out), "nodes 'c' not found");
	assert_string_equal(cluster_node_of(c, "one"), "a");
}

static void test_a_drain_leaves_out_what_is_on_its_way_out(void **state)
{
	struct cluster *c = *state;
	auto_str struct str out = STR_INIT(1 << 20);
	const struct write w = { .done = cluster_answer, .user = c };
	const int64_t grace = 30;
	const struct delete_options how = { .grace = &grace };

	cluster_node(c, "a", "2", "1Gi", "");
	cluster_pod(c, "alone", "400m", "1Mi");
	cluster_bound(c, "alone");
	assert_ok(objects_delete(c->s.objects, &kinds[KIND_POD], "default", "alone", &how, &w));
	cluster_wait(c);
	assert_true(cluster_get_pod(c, "alone")->metadata.deletion.nsec > 0);
	assert_ok(explain_drain(&c->s, "a", &out));
	assert_string_equal(out.data, "{\"node\":\"a\",\"fits\":true}");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, cluster_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_pod_that_runs_says_where),
		TEST(test_a_placed_pod_says_what_its_containers_wait_for),
		TEST(test_a_pod_that_waits_says_why_and_what_would_help),
		TEST(test_a_cordon_is_the_first_thing_to_lift),
		TEST(test_where_one_change_is_not_enough_another_node_is_described),
		TEST(test_a_pod_waits_for_the_node_with_its_data),
		TEST(test_a_missing_claim_is_named),
		TEST(test_a_plan_says_where_instances_would_go),
		TEST(test_a_plan_names_what_changes),
		TEST(test_a_plan_sees_what_apply_would_take_away),
		TEST(test_a_plan_knows_the_claims_that_it_brings),
		TEST(test_a_plan_of_a_wrong_manifest_names_the_field),
		TEST(test_a_drain_forecasts_each_pod),
		TEST(test_a_drain_leaves_out_what_is_on_its_way_out),
	};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
