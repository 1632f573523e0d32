/* tests/unit/scheduler/controllers_test.c: the controllers over a real store, with a clock that the test
 * turns and no agents but the test. */
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/deployment.h"
#include "api/event.h"
#include "api/lease.h"
#include "base/log.h"
#include "base/clock.h"
#include "scheduler/collect.h"
#include "scheduler/nodes.h"
#include "scheduler/rollout.h"
#include "scheduler/scheduler.h"
#include "tests/unit/scheduler/loop-fake.h"

#define SECOND ((int64_t)NSEC_PER_SEC)

struct world {
	char dir[64], url[128];
	struct scheduler_options options;
	struct scheduler s;
	struct arena *arena;
};

static int world_remove(const char *path, const struct stat *st UNUSED, int type UNUSED,
			struct FTW *ftw UNUSED)
{
	return remove(path);
}

static void world_open(struct world *w)
{
	const struct store_options o = { .url = w->url };

	w->s = (struct scheduler){ .options = &w->options };
	assert_ok(loop_new(&w->s.loop));
	assert_ok(store_open(w->s.loop, &o, &w->s.store));
	assert_ok(cache_open(w->s.store, &w->s.cache));
	assert_ok(objects_new(w->s.loop, w->s.store, w->s.cache, &w->s.objects));
	objects_set_lease(w->s.objects, w->options.lease);
	assert_ok(deployments_new(&w->s, &w->s.deployments));
	assert_ok(nodes_new(&w->s, &w->s.nodes));
	assert_ok(collector_new(&w->s, &w->s.collector));
	loop_settle(w->s.loop);
}

static void world_close(struct world *w)
{
	store_close(w->s.store);
	objects_free(w->s.objects);
	collector_free(w->s.collector);
	nodes_free(w->s.nodes);
	deployments_free(w->s.deployments);
	cache_free(w->s.cache);
	loop_free(w->s.loop);
}

static void world_make(struct world *w)
{
	*w = (struct world){
		.dir = "/tmp/stube-controllers.XXXXXX",
		.options = { .lease = 40 * SECOND, .clock_margin = 4 * SECOND, .event_ttl = 3600 * SECOND }
	};
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->url, sizeof(w->url), "sqlite:%s/store.db", w->dir);
	assert_ok(arena_new(256 << 20, &w->arena));
	world_open(w);
}

static void world_done(struct world *w)
{
	world_close(w);
	arena_free(w->arena);
	nftw(w->dir, world_remove, 8, FTW_DEPTH | FTW_PHYS);
}
DEFINE_CLEANUP_OF(struct world, world_done)
#define auto_world CLEANUP(world_done)

static void answered(const err *error, const struct entry *entry UNUSED, void *user)
{
	auto_str struct str text = STR_INIT(4096);

	(*(int *)user)++;
	if (!error)
		return;
	err_format(error, &text);
	fail_msg("%s", text.data);
}

#define WAIT(w, call)                                                               \
	do {                                                                        \
		int answers_ = 0;                                                   \
		const struct write write = { .done = answered, .user = &answers_ }; \
		assert_ok(call);                                                    \
		loop_settle((w)->s.loop);                                           \
		assert_int_equal(answers_, 1);                                      \
	} while (0)

static void create(struct world *w, const char *text)
{
	struct object *object;

	assert_ok(object_decode(w->arena, "test", text, strlen(text), NULL, 0, &object));
	WAIT(w, objects_create(w->s.objects, object, &write));
}

static void patch(struct world *w, enum kind_id kind, const char *name, const char *subresource,
		  const char *text)
{
	int answers = 0;
	const struct write write = { .done = answered, .user = &answers, .subresource = subresource };

	assert_ok(objects_patch(w->s.objects, &kinds[kind], kinds[kind].namespaced ? "default" : NULL, name,
				text, strlen(text), &write));
	loop_settle(w->s.loop);
	assert_int_equal(answers, 1);
}

static void delete_now(struct world *w, enum kind_id kind, const char *namespace, const char *name)
{
	static const int64_t at_once = 0;
	const struct delete_options how = { .grace = &at_once };

	WAIT(w, objects_delete(w->s.objects, &kinds[kind], namespace, name, &how, &write));
}

/* ---- what the test's agents do ---- */

static void create_node(struct world *w, const char *name)
{
	create(w, arena_printf(w->arena,
			       "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"%s\"}}",
			       name));
	patch(w, KIND_NODE, name, "status",
	      "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}");
}

static void create_lease(struct world *w, const char *name)
{
	create(w, arena_printf(w->arena,
			       "{\"apiVersion\":\"coordination.k8s.io/"
			       "v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"%s\","
			       "\"namespace\":\"kube-node-lease\"},\"spec\":{\"holderIdentity\":\"%s\","
			       "\"renewTime\":\"2020-01-01T00:00:00.000000Z\"}}",
			       name, name));
}

struct pods {
	const struct pod *items[64];
	size_t count;
};

static bool add_pod(const struct entry *e, void *user)
{
	struct pods *p = user;

	assert_true(p->count < ARRAY_LEN(p->items));
	p->items[p->count++] = (const struct pod *)(const void *)e->object;
	return true;
}

static struct pods all_pods(struct world *w)
{
	struct pods p = { .count = 0 };

	cache_each(w->s.cache, KIND_POD, "default", add_pod, &p);
	return p;
}

/* Bind what is not bound, make it ready, and let go what is on its way out; true: something was to be done.
 */
static bool agent_acts(struct world *w, const char *node)
{
	static const int64_t at_once = 0;
	struct pods p = all_pods(w);
	const struct delete_options now = { .grace = &at_once };

	for (size_t i = 0; i < p.count; i++) {
		const struct meta *m = &p.items[i]->metadata;
		const char *name = arena_strdup(w->arena, m->name);
		if (m->deletion.nsec) {
			IGNORE(objects_delete(w->s.objects, &kinds[KIND_POD], "default", name, &now, NULL));
		} else if (!p.items[i]->spec.node_name) {
			const struct binding b = { cache_get(w->s.cache, KIND_POD, "default", name), node };
			objects_bind(w->s.objects, &b, 1, NULL, NULL);
		} else if (!pod_is_ready(p.items[i]) && !pod_is_over(p.items[i]) &&
			   str_equal(p.items[i]->spec.node_name, node)) {
			static const char ready[] =
				"{\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":"
				"\"PodScheduled\",\"status\":\"True\"},{\"type\":\"Ready\",\"status\":"
				"\"True\","
				"\"lastTransitionTime\":\"2020-01-01T00:00:00Z\"}]}}";
			const struct write status = { .subresource = "status" };
			assert_ok(objects_patch(w->s.objects, &kinds[KIND_POD], "default", name, ready,
						strlen(ready), &status));
		} else {
			continue;
		}
		loop_settle(w->s.loop);
		return true;
	}
	return false;
}

static void agent_runs(struct world *w, const char *node)
{
	for (int i = 0; i < 500; i++)
		if (!agent_acts(w, node))
			return;
	fail_msg("the cluster does not come to rest");
}

static void create_deployment(struct world *w, int replicas, const char *annotations)
{
	create(w, arena_printf(w->arena,
			       "{\"apiVersion\":\"apps/"
			       "v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"web\"},\"spec\":{"
			       "\"replicas\":%d,\"selector\":{\"matchLabels\":{\"app\":\"web\"}},"
			       "\"template\":{\"metadata\":{"
			       "\"labels\":{\"app\":\"web\"},\"annotations\":{%s}},\"spec\":{\"containers\":["
			       "{\"name\":\"c\","
			       "\"image\":\"web:1\"}]}}}}",
			       replicas, annotations));
}

static const struct deployment *deployment(struct world *w)
{
	return (const struct deployment *)(const void *)cache_get(w->s.cache, KIND_DEPLOYMENT, "default",
								  "web")
		->object;
}

struct counted {
	const char *reason;
	size_t count;
};
static bool count_event(const struct entry *e, void *user)
{
	struct counted *c = user;

	c->count += str_equal(object_field(e->object, "reason"), c->reason);
	return true;
}
static size_t count_events(struct world *w, const char *reason)
{
	struct counted c = { reason, 0 };

	cache_each(w->s.cache, KIND_EVENT, NULL, count_event, &c);
	return c.count;
}

/* ---- Deployments ---- */

static void test_a_deployment_makes_its_pods_rolls_on_and_goes_with_all_it_has(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w);
	create_node(&w, "a");
	create_lease(&w, "a");
	create_deployment(&w, 3, "");
	assert_int_equal(all_pods(&w).count, 3);
	agent_runs(&w, "a");
	assert_int_equal(deployment(&w)->status.available, 3);
	assert_int_equal(rollout_revision(&deployment(&w)->metadata), 1);
	assert_string_equal(condition_find(&deployment(&w)->status.conditions, "Progressing")->reason,
			    "NewReplicaSetAvailable");
	patch(&w, KIND_DEPLOYMENT, "web", NULL,
	      "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"web:2\"}]}}}}");
	agent_runs(&w, "a");
	struct pods p = all_pods(&w);
	assert_int_equal(p.count, 3);
	for (size_t i = 0; i < p.count; i++)
		assert_string_equal(p.items[i]->spec.containers.items[0].image, "web:2");
	assert_int_equal(rollout_revision(&deployment(&w)->metadata), 2);
	assert_int_equal(cache_count(w.s.cache, KIND_REPLICASET), 2);
	assert_true(count_events(&w, "ScalingReplicaSet") >= 3);
	delete_now(&w, KIND_DEPLOYMENT, "default", "web");
	agent_runs(&w, "a");
	assert_int_equal(all_pods(&w).count, 0);
	assert_int_equal(cache_count(w.s.cache, KIND_REPLICASET), 0);
}

static void test_a_restart_of_the_scheduler_doubles_no_pod(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w);
	for (int turns = 0; turns < 12; turns++) {
		static const char five[] = "{\"spec\":{\"replicas\":5}}";
		create_deployment(&w, 5, "");
		delete_now(&w, KIND_DEPLOYMENT, "default", "web");
		loop_pass(w.s.loop, SECOND);
		assert_int_equal(all_pods(&w).count, 0);
		/* Begun again, and cut off after so many turns of the loop. */
		create_deployment(&w, 0, "");
		const struct write none = { 0 };
		assert_ok(objects_patch(w.s.objects, &kinds[KIND_DEPLOYMENT], "default", "web", five,
					strlen(five), &none));
		for (int i = 0; i < turns; i++)
			loop_turn(w.s.loop);
		world_close(&w);
		world_open(&w);
		loop_pass(w.s.loop, SECOND);
		assert_int_equal(all_pods(&w).count, 5);
		delete_now(&w, KIND_DEPLOYMENT, "default", "web");
		loop_pass(w.s.loop, SECOND);
	}
}

/* ---- lost nodes ---- */

static void lose_node(struct world *w, const char *annotations)
{
	create_node(w, "a");
	create_lease(w, "a");
	create_deployment(w, 2, annotations);
	agent_runs(w, "a");
	assert_int_equal(deployment(w)->status.available, 2);
	/* Nobody renews the Lease. Grace 30 s, margin 4 s. */
	loop_pass(w->s.loop, 46 * SECOND);
	assert_true(nodes_is_lost(&w->s, "a"));
	const struct node *node =
		(const struct node *)(const void *)cache_get(w->s.cache, KIND_NODE, NULL, "a")->object;
	assert_string_equal(condition_find(&node->status.conditions, "Ready")->reason, "NodeStatusUnknown");
	assert_int_equal(node->spec.taints.count, 2);
	assert_int_equal(count_events(w, "NodeNotReady"), 1);
	struct pods p = all_pods(w);
	assert_int_equal(p.count, 2);
	for (size_t i = 0; i < p.count; i++)
		assert_string_equal(condition_find(&p.items[i]->status.conditions, "Ready")->reason,
				    "NodeLost");
	assert_int_equal(deployment(w)->status.available, 0);
}

static void test_pods_of_a_lost_node_are_replaced_after_their_grace_and_the_margin(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w);
	lose_node(&w, "");
	loop_pass(w.s.loop, 27 * SECOND);
	assert_string_equal(all_pods(&w).items[0]->spec.node_name, "a");
	loop_pass(w.s.loop, 10 * SECOND);
	struct pods p = all_pods(&w);
	assert_int_equal(p.count, 2);
	for (size_t i = 0; i < p.count; i++)
		assert_null(p.items[i]->spec.node_name);
	create_lease(&w, "a");
	assert_false(nodes_is_lost(&w.s, "a"));
	assert_int_equal(count_events(&w, "NodeReady"), 1);
}

static void test_pods_that_are_kept_stay_as_they_are(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w);
	lose_node(&w, "\"stube/on-node-loss\":\"keep\"");
	loop_pass(w.s.loop, 4000 * SECOND);
	struct pods p = all_pods(&w);
	assert_int_equal(p.count, 2);
	for (size_t i = 0; i < p.count; i++)
		assert_string_equal(p.items[i]->spec.node_name, "a");
}

static void test_stopped_pods_are_not_replaced_until_the_node_is_back(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w);
	lose_node(&w, "\"stube/on-node-loss\":\"stop\"");
	loop_pass(w.s.loop, 4000 * SECOND);
	struct pods p = all_pods(&w);
	assert_int_equal(p.count, 2);
	for (size_t i = 0; i < p.count; i++) {
		assert_int_equal(p.items[i]->status.phase, POD_FAILED);
		assert_string_equal(p.items[i]->status.reason, "NodeLost");
	}
	create_lease(&w, "a");
	assert_int_equal(all_pods(&w).count, 4);
}

static void test_after_a_restart_no_node_is_lost_early(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w);
	create_node(&w, "a");
	create_lease(&w, "a");
	create_node(&w, "b"); /* never had one */
	loop_pass(w.s.loop, 35 * SECOND);
	world_close(&w);
	fake_now += 3600 * SECOND;
	world_open(&w);
	loop_pass(w.s.loop, 38 * SECOND);
	assert_false(nodes_is_lost(&w.s, "a"));
	assert_false(nodes_is_lost(&w.s, "b"));
	loop_pass(w.s.loop, 10 * SECOND);
	assert_true(nodes_is_lost(&w.s, "a"));
	assert_true(nodes_is_lost(&w.s, "b"));
}

static void test_pods_leave_a_node_that_gets_a_taint_or_goes(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w);
	create_node(&w, "a");
	create_lease(&w, "a");
	create_deployment(&w, 2, "");
	agent_runs(&w, "a");
	patch(&w, KIND_NODE, "a", NULL,
	      "{\"spec\":{\"taints\":[{\"key\":\"repair\",\"effect\":\"NoExecute\"}]}}");
	struct pods p = all_pods(&w);
	size_t leaving = 0;
	for (size_t i = 0; i < p.count; i++)
		leaving += p.items[i]->metadata.deletion.nsec != 0;
	assert_int_equal(leaving, 2);
	/* Its agent may live: until its Lease, their grace and the margin have passed they are there. */
	delete_now(&w, KIND_NODE, NULL, "a");
	loop_pass(w.s.loop, 70 * SECOND);
	assert_int_equal(all_pods(&w).count, 4);
	loop_pass(w.s.loop, 10 * SECOND);
	p = all_pods(&w);
	assert_int_equal(p.count, 2);
	for (size_t i = 0; i < p.count; i++)
		assert_null(p.items[i]->spec.node_name);
}

static void test_a_deleted_node_whose_agent_lives_keeps_its_pods(void **state)
{
	(void)state;
	static const char *const policies[] = { "", "\"stube/on-node-loss\":\"keep\"" };

	for (size_t n = 0; n < ARRAY_LEN(policies); n++) {
		auto_world struct world w;

		world_make(&w);
		create_node(&w, "a");
		create_lease(&w, "a");
		create_deployment(&w, 2, policies[n]);
		agent_runs(&w, "a");
		delete_now(&w, KIND_NODE, NULL, "a");
		loop_pass(w.s.loop, 10 * SECOND);
		assert_int_equal(all_pods(&w).count, 2);
		create_node(&w, "a"); /* its agent registers again */
		assert_int_equal(all_pods(&w).count, 2);
		assert_string_equal(all_pods(&w).items[0]->spec.node_name, "a");
		assert_int_equal(count_events(&w, "NodeGone"), 0);
		/* A scheduler that finds the Node gone knows of its Pods, too. */
		delete_now(&w, KIND_NODE, NULL, "a");
		world_close(&w);
		world_open(&w);
		loop_pass(w.s.loop, 100 * SECOND);
		assert_null(all_pods(&w).items[0]->spec.node_name);
		assert_int_equal(count_events(&w, "NodeGone"), 2);
	}
}

/* ---- what is left behind ---- */

static void test_a_namespace_is_emptied_and_goes(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w);
	create(&w, "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"amt\"}}");
	create(&w, "{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":"
		   "\"data\",\"namespace\":"
		   "\"amt\"},\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{"
		   "\"storage\":\"1Gi\"}}}}");
	create(&w, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"namespace\":"
		   "\"amt\"},\"spec\":{"
		   "\"containers\":[{\"name\":\"c\",\"image\":\"i:1\"}],\"volumes\":[{\"name\":\"v\","
		   "\"persistentVolumeClaim\":{\"claimName\":\"data\"}}]}}");
	const struct delete_options how = { 0 };
	WAIT(&w, objects_delete(w.s.objects, &kinds[KIND_NAMESPACE], NULL, "amt", &how, &write));
	loop_pass(w.s.loop, 2 * SECOND);
	assert_null(cache_get(w.s.cache, KIND_NAMESPACE, NULL, "amt"));
	assert_false(cache_has_any(w.s.cache, "amt"));
}

static void test_what_has_lost_its_owner_goes_and_what_was_let_go_stays(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w);
	create(&w, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"ownerReferences\":"
		   "[{\"apiVersion\":"
		   "\"apps/"
		   "v1\",\"kind\":\"ReplicaSet\",\"name\":\"x\",\"uid\":\"nobody\",\"controller\":true}]},"
		   "\"spec\":{"
		   "\"containers\":[{\"name\":\"c\",\"image\":\"i:1\"}]}}");
	assert_int_equal(all_pods(&w).count, 0);
	create_deployment(&w, 1, "");
	assert_int_equal(all_pods(&w).count, 1);
	const struct delete_options how = { .orphan = true };
	WAIT(&w, objects_delete(w.s.objects, &kinds[KIND_DEPLOYMENT], "default", "web", &how, &write));
	loop_pass(w.s.loop, 2 * SECOND);
	assert_int_equal(all_pods(&w).count, 1);
	assert_int_equal(cache_count(w.s.cache, KIND_REPLICASET), 1);
}

static bool find_set(const struct entry *e, void *user)
{
	*(const struct entry **)user = e;
	return false;
}

/* The ReplicaSet, where there is one. */
static const struct meta *the_set(struct world *w)
{
	const struct entry *e = NULL;

	cache_each(w->s.cache, KIND_REPLICASET, "default", find_set, &e);
	assert_non_null(e);
	return &e->object->metadata;
}

static void test_what_was_let_go_is_taken_by_who_selects_it(void **state)
{
	(void)state;
	static const enum kind_id makers[] = { KIND_DEPLOYMENT, KIND_REPLICASET };
	const struct delete_options how = { .orphan = true };

	for (size_t n = 0; n < ARRAY_LEN(makers); n++) {
		auto_world struct world w;

		world_make(&w);
		create_node(&w, "a");
		create_lease(&w, "a");
		create_deployment(&w, 2, "");
		agent_runs(&w, "a");
		const char *first = arena_strdup(w.arena, all_pods(&w).items[0]->metadata.uid);
		const char *name =
			makers[n] == KIND_DEPLOYMENT ? "web" : arena_strdup(w.arena, the_set(&w)->name);
		WAIT(&w, objects_delete(w.s.objects, &kinds[makers[n]], "default", name, &how, &write));
		if (makers[n] == KIND_DEPLOYMENT)
			create_deployment(&w, 2, "");
		loop_pass(w.s.loop, 2 * SECOND);
		/* One set, the same Pods, and the Deployment is theirs. */
		assert_int_equal(cache_count(w.s.cache, KIND_REPLICASET), 1);
		assert_string_equal(meta_controller(the_set(&w))->uid, deployment(&w)->metadata.uid);
		assert_int_equal(all_pods(&w).count, 2);
		assert_string_equal(all_pods(&w).items[0]->metadata.uid, first);
		assert_string_equal(meta_controller(&all_pods(&w).items[0]->metadata)->uid, the_set(&w)->uid);
		assert_int_equal(deployment(&w)->status.available, 2);
	}
}

static void test_a_deployment_whose_sets_name_is_anothers_makes_another_name(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w);
	for (int i = 1; i <= 2; i++)
		create(&w,
		       arena_printf(
			       w.arena,
			       "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":"
			       "\"%0240d%d\"},\"spec\":{\"replicas\":1,\"selector\":{\"matchLabels\":{"
			       "\"app\":\"web\"}},"
			       "\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":{"
			       "\"containers\":["
			       "{\"name\":\"c\",\"image\":\"web:1\"}]}}}}",
			       0, i));
	assert_int_equal(cache_count(w.s.cache, KIND_REPLICASET), 2);
	assert_int_equal(all_pods(&w).count, 2);
}

static void test_a_large_scale_down_goes_in_parts(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w);
	create_deployment(&w, 1100, "");
	loop_pass(w.s.loop, SECOND);
	assert_int_equal(cache_count(w.s.cache, KIND_POD), 1100);
	patch(&w, KIND_DEPLOYMENT, "web", NULL, "{\"spec\":{\"replicas\":3}}");
	loop_pass(w.s.loop, SECOND);
	assert_int_equal(cache_count(w.s.cache, KIND_POD), 3);
}

static void test_an_event_from_the_future_is_as_old_as_the_others(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w);
	create(&w, "{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"metadata\":{\"name\":\"new\"},"
		   "\"involvedObject\":{\"kind\":\"Pod\",\"name\":\"p\",\"namespace\":\"default\"},"
		   "\"reason\":\"Test\",\"message\":\"m\",\"type\":\"Normal\",\"lastTimestamp\":\"2262-04-"
		   "01T00:00:00Z\"}");
	const struct event *e =
		(const struct event *)(const void *)cache_get(w.s.cache, KIND_EVENT, "default", "new")
			->object;
	assert_true(collect_event_time(e) <= clock_real() + 61 * SECOND);
	patch(&w, KIND_EVENT, "new", NULL, "{\"lastTimestamp\":\"2262-04-01T00:00:00Z\"}");
	e = (const struct event *)(const void *)cache_get(w.s.cache, KIND_EVENT, "default", "new")->object;
	assert_true(collect_event_time(e) <= clock_real() + 61 * SECOND);
}

static void test_old_events_go(void **state)
{
	(void)state;
	auto_world struct world w;

	world_make(&w);
	create(&w, "{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"metadata\":{\"name\":\"new\"},"
		   "\"involvedObject\":{\"kind\":"
		   "\"Pod\",\"name\":\"p\",\"namespace\":\"default\"},\"reason\":\"Test\",\"message\":\"m\","
		   "\"type\":\"Normal\"}");
	loop_pass(w.s.loop, 100 * SECOND);
	assert_int_equal(count_events(&w, "Test"), 1);
	w.options.event_ttl = 1; /* the wall clock is not the test's: a nanosecond has gone by */
	world_close(&w);
	world_open(&w);
	assert_int_equal(count_events(&w, "Test"), 0);
}

/* Lost nodes are logged, which is not for the test's reader. */
static int quiet(void **state)
{
	(void)state;
	IGNORE(log_open("/dev/null", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_deployment_makes_its_pods_rolls_on_and_goes_with_all_it_has),
		cmocka_unit_test(test_a_restart_of_the_scheduler_doubles_no_pod),
		cmocka_unit_test(test_pods_of_a_lost_node_are_replaced_after_their_grace_and_the_margin),
		cmocka_unit_test(test_pods_that_are_kept_stay_as_they_are),
		cmocka_unit_test(test_stopped_pods_are_not_replaced_until_the_node_is_back),
		cmocka_unit_test(test_after_a_restart_no_node_is_lost_early),
		cmocka_unit_test(test_pods_leave_a_node_that_gets_a_taint_or_goes),
		cmocka_unit_test(test_a_deleted_node_whose_agent_lives_keeps_its_pods),
		cmocka_unit_test(test_what_was_let_go_is_taken_by_who_selects_it),
		cmocka_unit_test(test_a_deployment_whose_sets_name_is_anothers_makes_another_name),
		cmocka_unit_test(test_a_large_scale_down_goes_in_parts),
		cmocka_unit_test(test_an_event_from_the_future_is_as_old_as_the_others),
		cmocka_unit_test(test_a_namespace_is_emptied_and_goes),
		cmocka_unit_test(test_what_has_lost_its_owner_goes_and_what_was_let_go_stays),
		cmocka_unit_test(test_old_events_go),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
