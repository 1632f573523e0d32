/* tests/unit/scheduler/objects_test.c: creating, changing, binding and deleting objects by the rules of their kinds. */
#include "tests/unit/scheduler/objects-fixture.h"

#include "api/claim.h"
#include "api/event.h"
#include "api/lease.h"
#include "api/namespace.h"

static struct world w;

static int setup(void **state)
{
	(void)state;
	world_make(&w);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done_with(&w);
	return 0;
}

static const struct pod *pod(const char *name)
{
	return (const struct pod *)(const void *)world_get(&w, KIND_POD, "default", name);
}

static const struct claim *claim(const char *name)
{
	return (const struct claim *)(const void *)world_get(&w, KIND_CLAIM, "default", name);
}

static void bound_pod(const char *name, const char *text)
{
	if (!world_get(&w, KIND_NODE, NULL, "n1"))
		assert_int_equal(world_create(&w, NODE("n1")), 0);
	assert_int_equal(world_create(&w, text), 0);
	assert_int_equal(world_bind(&w, name, "n1"), 0);
}

static void test_the_server_fills_in_what_is_its_own(void **state)
{
	(void)state;
	assert_int_equal(world_create(&w, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\",\"uid\":\"mine\","
					  "\"generation\":7},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]},"
					  "\"status\":{\"phase\":\"Running\"}}"),
			 0);
	const struct pod *p = pod("web");
	assert_non_null(p);
	assert_string_equal(p->metadata.namespace, "default");
	assert_int_equal(strlen(p->metadata.uid), 36);
	assert_int_equal(p->metadata.uid[14], '4');
	assert_int_equal(p->metadata.generation, 1);
	assert_true(p->metadata.creation.nsec > 0);
	assert_int_equal(p->status.phase, POD_PENDING);
	assert_string_equal(p->status.qos_class, "BestEffort");
	char revision[32];
	snprintf(revision, sizeof(revision), "%llu", (unsigned long long)cache_revision(w.cache));
	assert_string_equal(p->metadata.resource_version, revision);
	assert_int_equal(world_create(&w, POD("web", "")), EEXIST);
	assert_string_equal(w.error.data, "pods 'web' already exists");
}

static void test_default_and_the_leases_namespace_are_always_there(void **state)
{
	(void)state;
	assert_int_equal(world_create(&w, POD("first", "")), 0);
	assert_non_null(world_get(&w, KIND_NAMESPACE, NULL, "default"));
	assert_non_null(world_get(&w, KIND_NAMESPACE, NULL, LEASE_NAMESPACE));
	assert_int_equal(cache_count(w.cache, KIND_NAMESPACE), 2);
	assert_int_equal(world_delete(&w, KIND_NAMESPACE, NULL, "default", NULL), EPERM);
	assert_string_equal(w.error.data, "namespace 'default' is always there");
}

static void test_generated_names_are_the_given_ones_with_five_characters(void **state)
{
	(void)state;
	static const char text[] = "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"generateName\":\"web-\"},\"spec\":{"
				   "\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}";
	struct object *made;

	for (int i = 0; i < 20; i++) {
		assert_int_equal(world_create(&w, text), 0);
		assert_ok(object_decode(w.arena, "answer", w.answer.data, w.answer.len, NULL, 0, &made));
		assert_int_equal(strlen(made->metadata.name), 9);
		assert_memory_equal(made->metadata.name, "web-", 4);
	}
	assert_int_equal(cache_count(w.cache, KIND_POD), 20);
}

static void test_wrong_objects_are_refused_by_field(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int code;
		const char *error;
	} rows[] = {
		{ "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"amt\"},\"spec\":{\"containers\":[{"
		  "\"name\":\"c\",\"image\":\"i\"}]}}", ENOENT, "namespaces 'amt' not found" },
		{ "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"3\"},\"spec\":{\"containers\":[{"
		  "\"name\":\"c\",\"image\":\"i\"}]}}", EBADMSG, "metadata.resourceVersion: must not be set on objects to be created" },
		{ POD("a", ",\"nodeName\":\"n1\""), EINVAL,
		  "spec.nodeName: is written by the scheduler only; use a nodeSelector on kubernetes.io/hostname" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(world_create(&w, rows[i].text), rows[i].code);
		assert_string_equal(w.error.data, rows[i].error);
	}
}

static void test_a_write_against_an_old_revision_is_a_conflict(void **state)
{
	(void)state;
	struct object *copy;

	assert_int_equal(world_create(&w, POD("web", "")), 0);
	assert_ok(object_copy(w.arena, world_get(&w, KIND_POD, "default", "web"), &copy));
	assert_int_equal(world_patch(&w, KIND_POD, NULL, "web", "{\"metadata\":{\"labels\":{\"a\":\"1\"}}}", NULL), 0);
	const struct write write = { .done = world_done, .user = &w };
	WORLD_TRY(&w, objects_replace(w.objects, copy, &write));
	assert_int_equal(w.code, ESTALE);
	assert_string_equal(w.error.data, "pods 'web' has been changed meanwhile; read it and try again");
	copy->metadata.resource_version = NULL;
	WORLD_TRY(&w, objects_replace(w.objects, copy, &write));
	assert_int_equal(w.code, 0);
	copy->metadata.uid = "another";
	WORLD_TRY(&w, objects_replace(w.objects, copy, &write));
	assert_int_equal(w.code, ESTALE);
}

static void test_a_write_that_changes_nothing_makes_no_revision(void **state)
{
	(void)state;
	assert_int_equal(world_create(&w, POD("web", "")), 0);
	uint64_t before = cache_revision(w.cache);
	assert_int_equal(world_patch(&w, KIND_POD, NULL, "web", "{\"spec\":{\"restartPolicy\":\"Always\"}}", NULL), 0);
	assert_int_equal(world_patch(&w, KIND_POD, NULL, "web", "{}", "status"), 0);
	assert_int_equal(w.revision, before);
	assert_int_equal(cache_revision(w.cache), before);
}

static void test_status_and_object_do_not_touch_each_other(void **state)
{
	(void)state;
	bound_pod("web", POD("web", ""));
	assert_int_equal(world_patch(&w, KIND_POD, NULL, "web", "{\"status\":{\"phase\":\"Running\"},\"metadata\":{\"labels\":{\"a\":\"1\"}}}",
				     "status"), 0);
	assert_int_equal(pod("web")->status.phase, POD_RUNNING);
	assert_int_equal(pod("web")->metadata.labels.count, 0);
	assert_int_equal(world_patch(&w, KIND_POD, NULL, "web", "{\"status\":{\"phase\":\"Failed\"},\"metadata\":{\"labels\":{\"a\":\"1\"}}}",
				     NULL), 0);
	assert_int_equal(pod("web")->status.phase, POD_RUNNING);
	assert_int_equal(pod("web")->metadata.labels.count, 1);
	/* An agent's own list of conditions does not lose how it was placed. */
	assert_int_equal(world_patch(&w, KIND_POD, NULL, "web", "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
				     "status"), 0);
	assert_non_null(condition_find(&pod("web")->status.conditions, "PodScheduled"));
	assert_non_null(condition_find(&pod("web")->status.conditions, "Ready"));
	assert_int_equal(world_patch(&w, KIND_EVENT, NULL, "x", "{}", "status"), ENOENT);
}

static void test_generation_counts_changes_of_the_spec(void **state)
{
	(void)state;
	assert_int_equal(world_create(&w, POD("web", "")), 0);
	assert_int_equal(world_patch(&w, KIND_POD, NULL, "web", "{\"metadata\":{\"labels\":{\"a\":\"1\"}}}", NULL), 0);
	assert_int_equal(pod("web")->metadata.generation, 1);
	assert_int_equal(world_patch(&w, KIND_POD, NULL, "web", "{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i:2\"}]}}", NULL), 0);
	assert_int_equal(pod("web")->metadata.generation, 2);
}

#define DEPLOYMENT                                                                                     \
	"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"d\"},\"spec\":{\"selector\":{"       \
	"\"matchLabels\":{\"app\":\"d\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"d\",\"b\":\"c\"}},\"spec\":{"  \
	"\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}}"

static void test_what_may_not_change_is_named(void **state)
{
	(void)state;
	static const struct {
		enum kind_id kind;
		const char *name, *patch, *error;
	} rows[] = {
		{ KIND_POD, "web", "{\"spec\":{\"nodeName\":\"n2\"}}", "spec.nodeName: is written by the scheduler only" },
		{ KIND_POD, "web", "{\"spec\":{\"restartPolicy\":\"Never\"}}",
		  "spec: only containers' images and tolerations of a Pod may be changed" },
		{ KIND_POD, "web", "{\"spec\":{\"containers\":[{\"name\":\"d\",\"image\":\"i:1\"}]}}",
		  "spec: only containers' images and tolerations of a Pod may be changed" },
		{ KIND_CLAIM, "data", "{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"2Gi\"}}}}", "spec: may not be changed" },
		{ KIND_CLAIM, "data", "{\"metadata\":{\"annotations\":null}}",
		  "metadata.annotations.volume.kubernetes.io/selected-node: may not be changed: the data lies on node 'n1'" },
		{ KIND_DEPLOYMENT, "d", "{\"spec\":{\"selector\":{\"matchLabels\":{\"b\":\"c\"}}}}", "spec.selector: may not be changed" },
	};
	assert_int_equal(world_create(&w, CLAIM("data")), 0);
	assert_int_equal(world_create(&w, DEPLOYMENT), 0);
	bound_pod("web", POD("web", WITH_CLAIM("data")));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(world_patch(&w, rows[i].kind, NULL, rows[i].name, rows[i].patch, NULL), EINVAL);
		assert_string_equal(w.error.data, rows[i].error);
	}
	assert_int_equal(world_patch(&w, KIND_POD, NULL, "web", "{\"spec\":{\"tolerations\":[{\"key\":\"a\",\"operator\":\"Exists\"}]}}", NULL), 0);
	/* Who it is, is not for clients to say. */
	const char *uid = pod("web")->metadata.uid;
	assert_int_equal(world_patch(&w, KIND_POD, NULL, "web", "{\"metadata\":{\"generation\":99,\"deletionTimestamp\":\"2020-01-01T00:00:00Z\"}}",
				     NULL), 0);
	assert_string_equal(pod("web")->metadata.uid, uid);
	assert_int_equal(pod("web")->metadata.deletion.nsec, 0);
}

static void test_a_pod_is_bound_once_and_its_claims_with_it(void **state)
{
	(void)state;
	assert_int_equal(world_create(&w, CLAIM("data")), 0);
	assert_int_equal(world_create(&w, NODE("n2")), 0);
	bound_pod("web", POD("web", WITH_CLAIM("data")));
	assert_int_equal(w.bound, 1);
	assert_string_equal(pod("web")->spec.node_name, "n1");
	assert_int_equal(pod("web")->metadata.generation, 1);
	assert_int_equal(condition_find(&pod("web")->status.conditions, "PodScheduled")->status, CONDITION_TRUE);
	assert_int_equal(claim("data")->status.phase, CLAIM_BOUND);
	assert_string_equal(string_map_get(&claim("data")->metadata.annotations, CLAIM_NODE), "n1");
	assert_memory_equal(claim("data")->spec.volume_name, "local-", 6);
	assert_int_equal(world_bind(&w, "web", "n2"), ESTALE);
	assert_int_equal(w.bound, 0);
	/* Data does not move. */
	assert_int_equal(world_create(&w, POD("other", WITH_CLAIM("data"))), 0);
	assert_int_equal(world_bind(&w, "other", "n2"), ESTALE);
	assert_string_equal(w.error.data, "the data of claim 'data' lies on node 'n1', not on 'n2'");
	assert_null(pod("other")->spec.node_name);
	assert_int_equal(world_bind(&w, "other", "n1"), 0);
	assert_int_equal(world_create(&w, POD("third", WITH_CLAIM("none"))), 0);
	assert_int_equal(world_bind(&w, "third", "n1"), ENOENT);
	assert_int_equal(world_bind(&w, "third", "n9"), ENOENT);
}

static void test_a_binding_holds_only_for_the_pod_that_was_seen(void **state)
{
	(void)state;
	assert_int_equal(world_create(&w, NODE("n1")), 0);
	assert_int_equal(world_create(&w, POD("web", "")), 0);
	struct entry *seen = entry_ref(cache_get(w.cache, KIND_POD, "default", "web"));
	assert_int_equal(world_patch(&w, KIND_POD, NULL, "web", "{\"metadata\":{\"labels\":{\"a\":\"1\"}}}", NULL), 0);
	const struct binding binding = { seen, "n1" };
	w.waiting++;
	objects_bind(w.objects, &binding, 1, world_bound, &w);
	world_wait(&w);
	assert_int_equal(w.code, ESTALE);
	assert_null(pod("web")->spec.node_name);
	entry_unref(seen);
}

static void test_pods_go_when_their_agent_says_so(void **state)
{
	(void)state;
	const int64_t now_ = 0, five = 5;
	const struct delete_options at_once = { .grace = &now_ }, soon = { .grace = &five };

	assert_int_equal(world_create(&w, POD("waiting", "")), 0);
	assert_int_equal(world_delete(&w, KIND_POD, NULL, "waiting", NULL), 0);
	assert_null(pod("waiting"));
	bound_pod("web", POD("web", ""));
	assert_int_equal(world_delete(&w, KIND_POD, NULL, "web", NULL), 0);
	assert_int_equal(*pod("web")->metadata.deletion_grace, 30);
	int64_t ends = pod("web")->metadata.deletion.nsec;
	assert_true(ends > clock_real() + 25 * (int64_t)NSEC_PER_SEC);
	/* Sooner, never later. */
	uint64_t revision = cache_revision(w.cache);
	assert_int_equal(world_delete(&w, KIND_POD, NULL, "web", NULL), 0);
	assert_int_equal(cache_revision(w.cache), revision);
	assert_int_equal(world_delete(&w, KIND_POD, NULL, "web", &soon), 0);
	assert_int_equal(*pod("web")->metadata.deletion_grace, 5);
	assert_true(pod("web")->metadata.deletion.nsec < ends);
	assert_int_equal(world_delete(&w, KIND_POD, NULL, "web", &at_once), 0);
	assert_null(pod("web"));
	assert_int_equal(world_delete(&w, KIND_POD, NULL, "web", &at_once), ENOENT);
	/* One that is over has nothing to end. */
	bound_pod("done", POD("done", ",\"restartPolicy\":\"Never\""));
	assert_int_equal(world_patch(&w, KIND_POD, NULL, "done", "{\"status\":{\"phase\":\"Succeeded\"}}", "status"), 0);
	assert_int_equal(world_delete(&w, KIND_POD, NULL, "done", NULL), 0);
	assert_null(pod("done"));
}

static void test_preconditions_of_a_deletion_are_kept(void **state)
{
	(void)state;
	const struct delete_options other = { .uid = "other" }, old = { .resource_version = "1" };

	assert_int_equal(world_create(&w, POD("web", "")), 0);
	assert_int_equal(world_delete(&w, KIND_POD, NULL, "web", &other), ESTALE);
	assert_int_equal(world_delete(&w, KIND_POD, NULL, "web", &old), ESTALE);
	assert_non_null(pod("web"));
}

static void test_a_claim_goes_after_the_last_pod_that_mounts_it(void **state)
{
	(void)state;
	const int64_t zero = 0;
	const struct delete_options at_once = { .grace = &zero };

	assert_int_equal(world_create(&w, CLAIM("data")), 0);
	bound_pod("web", POD("web", WITH_CLAIM("data")));
	assert_int_equal(world_delete(&w, KIND_CLAIM, NULL, "data", NULL), 0);
	assert_true(claim("data")->metadata.deletion.nsec > 0);
	assert_int_equal(world_delete(&w, KIND_POD, NULL, "web", &at_once), 0);
	/* The next write is answered after the claim's end, which came first. */
	assert_int_equal(world_create(&w, POD("other", "")), 0);
	assert_null(claim("data"));
}

static void test_a_namespace_is_marked_then_emptied_then_removed(void **state)
{
	(void)state;
	assert_int_equal(world_create(&w, "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"amt\"}}"), 0);
	assert_int_equal(world_create(&w, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"amt\"},"
					  "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"), 0);
	assert_int_equal(world_delete(&w, KIND_NAMESPACE, NULL, "amt", NULL), 0);
	const struct namespace *amt = (const struct namespace *)(const void *)world_get(&w, KIND_NAMESPACE, NULL, "amt");
	assert_int_equal(amt->status.phase, NAMESPACE_TERMINATING);
	assert_true(cache_has_any(w.cache, "amt"));
	assert_int_equal(world_delete(&w, KIND_NAMESPACE, NULL, "amt", NULL), 0);
	assert_non_null(world_get(&w, KIND_NAMESPACE, NULL, "amt"));
	assert_int_equal(world_create(&w, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"b\",\"namespace\":\"amt\"},"
					  "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"), EPERM);
	assert_string_equal(w.error.data, "namespace 'amt' is being removed: nothing can be made in it");
	assert_int_equal(world_delete(&w, KIND_POD, "amt", "a", NULL), 0);
	assert_int_equal(world_delete(&w, KIND_NAMESPACE, NULL, "amt", NULL), 0);
	assert_null(world_get(&w, KIND_NAMESPACE, NULL, "amt"));
}

static void test_nothing_can_be_made_in_a_namespace_that_goes_at_the_same_moment(void **state)
{
	(void)state;
	assert_int_equal(world_create(&w, "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"amt\"}}"), 0);
	const struct write write = { .done = world_done, .user = &w };
	w.waiting = 2;
	assert_ok(objects_delete(w.objects, &kinds[KIND_NAMESPACE], NULL, "amt", NULL, &write));
	assert_ok(objects_create(w.objects, world_object(&w, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"b\",\"namespace\":\"amt\"},"
					  "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}"), &write));
	world_wait(&w);
	assert_int_equal(w.code, EPERM);
	assert_false(cache_has_any(w.cache, "amt"));
}

static void test_orphans_lose_their_owner_in_the_same_moment(void **state)
{
	(void)state;
	const struct delete_options orphan = { .orphan = true };
	char text[1024];

	assert_int_equal(world_create(&w, DEPLOYMENT), 0);
	const char *uid = world_get(&w, KIND_DEPLOYMENT, "default", "d")->metadata.uid;
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p%d\",\"ownerReferences\":[{"
			 "\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"name\":\"d\",\"uid\":\"%s\",\"controller\":true}]},"
			 "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}", i, uid);
		assert_int_equal(world_create(&w, text), 0);
	}
	uint64_t revision = cache_revision(w.cache);
	assert_int_equal(world_delete(&w, KIND_DEPLOYMENT, NULL, "d", &orphan), 0);
	assert_int_equal(cache_revision(w.cache), revision + 4);
	assert_null(world_get(&w, KIND_DEPLOYMENT, "default", "d"));
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), "p%d", i);
		assert_int_equal(pod(text)->metadata.owners.count, 0);
	}
}

#define LEASE(holder, renew)                                                                           \
	"{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"n1\",\"namespace\":\"kube-node-lease\"}," \
	"\"spec\":{\"holderIdentity\":\"" holder "\",\"leaseDurationSeconds\":9999,\"renewTime\":\"2026-11-24T00:00:" renew ".000000Z\"}}"

static const struct lease *lease(void)
{
	return (const struct lease *)(const void *)world_get(&w, KIND_LEASE, LEASE_NAMESPACE, "n1");
}

static void test_a_node_lease_is_renewed_in_memory_and_ends(void **state)
{
	(void)state;
	objects_set_lease(w.objects, (int64_t)NSEC_PER_SEC);
	assert_int_equal(world_create(&w, LEASE("a", "01")), 0);
	assert_int_equal(*lease()->spec.duration, 1);
	uint64_t revision = cache_revision(w.cache);
	assert_int_equal(world_replace(&w, LEASE("a", "02"), NULL), 0);
	assert_int_equal(cache_revision(w.cache), revision);
	assert_non_null(strstr(w.answer.data, "00:00:02"));
	assert_int_equal(lease()->spec.renew_time.nsec % (60 * (int64_t)NSEC_PER_SEC), 2 * (int64_t)NSEC_PER_SEC);
	assert_int_equal(world_patch(&w, KIND_LEASE, LEASE_NAMESPACE, "n1", "{\"spec\":{\"renewTime\":\"2026-11-24T00:00:03.000000Z\"}}", NULL), 0);
	assert_int_equal(cache_revision(w.cache), revision);
	assert_int_equal(world_replace(&w, LEASE("b", "04"), NULL), 0);
	assert_int_equal(cache_revision(w.cache), revision + 1);
	/* Nobody renews it any more. */
	for (int i = 0; i < 400 && lease(); i++) {
		usleep(10000);
		assert_int_equal(world_patch(&w, KIND_NAMESPACE, NULL, "default", i % 2 ? "{\"metadata\":{\"labels\":{\"a\":\"1\"}}}" :
					     "{\"metadata\":{\"labels\":{\"a\":\"2\"}}}", NULL), 0);
	}
	assert_null(lease());
	assert_int_equal(world_replace(&w, LEASE("a", "05"), NULL), ENOENT);
	assert_int_equal(world_create(&w, LEASE("a", "06")), 0);
}

static void test_a_lease_outlives_a_restart_and_can_be_renewed_after_it(void **state)
{
	(void)state;
	assert_int_equal(world_create(&w, LEASE("a", "01")), 0);
	world_reopen(&w);
	assert_non_null(lease());
	uint64_t revision = cache_revision(w.cache);
	assert_int_equal(world_replace(&w, LEASE("a", "02"), NULL), 0);
	assert_int_equal(cache_revision(w.cache), revision);
	assert_int_equal(world_delete(&w, KIND_LEASE, LEASE_NAMESPACE, "n1", NULL), 0);
	assert_null(lease());
}

static void test_a_dry_run_answers_as_the_write_would_and_stores_nothing(void **state)
{
	(void)state;
	struct write write = { .dry_run = true, .done = world_done, .user = &w };

	assert_int_equal(world_create(&w, POD("there", "")), 0);
	uint64_t revision = cache_revision(w.cache);
	WORLD_TRY(&w, objects_create(w.objects, world_object(&w, POD("web", "")), &write));
	assert_int_equal(w.code, 0);
	assert_non_null(strstr(w.answer.data, "\"uid\":\""));
	assert_null(strstr(w.answer.data, "resourceVersion"));
	static const char patch[] = "{\"metadata\":{\"labels\":{\"a\":\"1\"}}}";
	WORLD_TRY(&w, objects_patch(w.objects, &kinds[KIND_POD], NULL, "there", patch, strlen(patch), &write));
	assert_non_null(strstr(w.answer.data, "\"labels\":{\"a\":\"1\"}"));
	WORLD_TRY(&w, objects_delete(w.objects, &kinds[KIND_POD], NULL, "there", NULL, &write));
	assert_int_equal(w.code, 0);
	WORLD_TRY(&w, objects_create(w.objects, world_object(&w, POD("there", "")), &write));
	assert_int_equal(w.code, EEXIST);
	assert_int_equal(cache_revision(w.cache), revision);
}

static void test_patches_at_the_same_moment_all_get_in(void **state)
{
	(void)state;
	const struct write write = { .done = world_done, .user = &w };
	char patch[64];

	assert_int_equal(world_create(&w, POD("web", "")), 0);
	for (int i = 0; i < 10; i++) {
		snprintf(patch, sizeof(patch), "{\"metadata\":{\"labels\":{\"l%d\":\"x\"}}}", i);
		w.waiting++;
		assert_ok(objects_patch(w.objects, &kinds[KIND_POD], NULL, "web", patch, strlen(patch), &write));
	}
	world_wait(&w);
	assert_int_equal(w.code, 0);
	assert_int_equal(pod("web")->metadata.labels.count, 10);
}

/* As of a release that admitted it: the fixture reads without the rules for what is new. */
static void test_what_is_stored_stays_usable_and_changes_are_admitted(void **state)
{
	(void)state;
	const struct write write = { .done = world_done, .user = &w };
	static const char label[] = "{\"metadata\":{\"labels\":{\"a\":\"1\"}}}";
	static const char image[] =
		"{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"B\"}]}}}}";
	static const char good[] =
		"{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"b\"}]}}}}";

	assert_int_equal(
		world_create(
			&w,
			"{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"old\"},"
			"\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{"
			"\"labels\":{\"a\":\"b\"}},\"spec\":{\"containers\":[{\"name\":\"a\",\"image\":\"A\"}"
			"]}}}}"),
		0);
	world_reopen(&w);
	WORLD_TRY(&w, objects_patch(w.objects, &kinds[KIND_DEPLOYMENT], NULL, "old", label, strlen(label),
				    &write));
	assert_int_equal(w.code, 0);
	WORLD_TRY(&w, objects_patch(w.objects, &kinds[KIND_DEPLOYMENT], NULL, "old", image, strlen(image),
				    &write));
	assert_int_equal(w.code, EINVAL);
	assert_non_null(
		strstr(w.error.data, "spec.template.spec.containers[0].image: 'B' is no name of an image"));
	WORLD_TRY(&w,
		  objects_patch(w.objects, &kinds[KIND_DEPLOYMENT], NULL, "old", good, strlen(good), &write));
	assert_int_equal(w.code, 0);
}

static bool find_event(const struct entry *e, void *user)
{
	*(const struct event **)user = (const struct event *)(const void *)e->object;
	return true;
}

static void test_an_event_told_again_counts_up(void **state)
{
	(void)state;
	const struct event *event = NULL;

	assert_int_equal(world_create(&w, POD("web", "")), 0);
	for (int i = 0; i < 3; i++) {
		objects_event(w.objects, world_get(&w, KIND_POD, "default", "web"), true, "FailedScheduling", "0 of %d nodes fit", 3);
		assert_int_equal(world_patch(&w, KIND_POD, NULL, "web", "{}", NULL), 0);
		assert_int_equal(world_create(&w, i == 0 ? POD("x", "") : i == 1 ? POD("y", "") : POD("z", "")), 0);
	}
	cache_each(w.cache, KIND_EVENT, "default", find_event, &event);
	assert_int_equal(cache_count(w.cache, KIND_EVENT), 1);
	assert_int_equal(event->count, 3);
	assert_string_equal(event->message, "0 of 3 nodes fit");
	assert_string_equal(event->type, "Warning");
	assert_string_equal(event->involved.uid, pod("web")->metadata.uid);
}

static void test_what_was_answered_is_there_after_a_restart(void **state)
{
	(void)state;
	char before[4096];

	assert_int_equal(world_create(&w, CLAIM("data")), 0);
	bound_pod("web", POD("web", WITH_CLAIM("data")));
	const struct entry *e = cache_get(w.cache, KIND_POD, "default", "web");
	snprintf(before, sizeof(before), "%.*s", (int)e->json->len, e->json->bytes);
	world_reopen(&w);
	e = cache_get(w.cache, KIND_POD, "default", "web");
	assert_non_null(e);
	assert_int_equal(e->json->len, strlen(before));
	assert_memory_equal(e->json->bytes, before, e->json->len);
}

static err *check_label(const struct object *now, const struct object *next, void *user)
{
	(void)now;
	(void)user;
	return next && next->metadata.labels.count ? err_new(EPERM, "no labels") : NULL;
}

static void test_a_check_sees_what_would_be_stored(void **state)
{
	(void)state;
	const struct write write = { .done = world_done, .user = &w, .check = check_label };
	static const char patch[] = "{\"metadata\":{\"labels\":{\"a\":\"1\"}}}";

	assert_int_equal(world_create(&w, POD("web", "")), 0);
	WORLD_TRY(&w, objects_patch(w.objects, &kinds[KIND_POD], NULL, "web", patch, strlen(patch), &write));
	assert_int_equal(w.code, EPERM);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_server_fills_in_what_is_its_own),
		T(test_default_and_the_leases_namespace_are_always_there),
		T(test_generated_names_are_the_given_ones_with_five_characters),
		T(test_wrong_objects_are_refused_by_field),
		T(test_a_write_against_an_old_revision_is_a_conflict),
		T(test_a_write_that_changes_nothing_makes_no_revision),
		T(test_status_and_object_do_not_touch_each_other),
		T(test_generation_counts_changes_of_the_spec),
		T(test_what_may_not_change_is_named),
		T(test_a_pod_is_bound_once_and_its_claims_with_it),
		T(test_a_binding_holds_only_for_the_pod_that_was_seen),
		T(test_pods_go_when_their_agent_says_so),
		T(test_preconditions_of_a_deletion_are_kept),
		T(test_a_claim_goes_after_the_last_pod_that_mounts_it),
		T(test_a_namespace_is_marked_then_emptied_then_removed),
		T(test_nothing_can_be_made_in_a_namespace_that_goes_at_the_same_moment),
		T(test_orphans_lose_their_owner_in_the_same_moment),
		T(test_a_node_lease_is_renewed_in_memory_and_ends),
		T(test_a_lease_outlives_a_restart_and_can_be_renewed_after_it),
		T(test_a_dry_run_answers_as_the_write_would_and_stores_nothing),
		T(test_patches_at_the_same_moment_all_get_in),
		T(test_what_is_stored_stays_usable_and_changes_are_admitted),
		T(test_an_event_told_again_counts_up),
		T(test_what_was_answered_is_there_after_a_restart),
		T(test_a_check_sees_what_would_be_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
