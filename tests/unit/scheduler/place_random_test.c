/* tests/unit/scheduler/place_random_test.c: placement beside a slow one that is obviously right, in random
 * clusters. */
#include "tests/unit/scheduler/place-make.h"

#include "scheduler/place-internal.h"

/* ---- the slow one: plain loops over what there is ---- */

enum { NODES_MAX = 400, PODS_MAX = 3000 };
struct world {
	struct node *nodes[NODES_MAX];
	size_t node_count;
	struct pod *pods[PODS_MAX]; /* bound */
	size_t pod_count;
};

static const struct node *slow_node(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->node_count; i++)
		if (strcmp(w->nodes[i]->metadata.name, name) == 0)
			return w->nodes[i];
	return NULL;
}

static int level(const char *text)
{
	return text && strcmp(text, "very-high") == 0 ? 2 : text && strcmp(text, "high") == 0 ? 1 : 0;
}

static bool slow_tolerates(const struct pod *p, const struct taint *t)
{
	for (size_t i = 0; i < p->spec.tolerations.count; i++)
		if (toleration_matches(&p->spec.tolerations.items[i], t))
			return true;
	return false;
}

static int64_t pages(int64_t bytes)
{
	return bytes / 4096 + (bytes % 4096 != 0);
}

static int64_t has(const struct node *n, const char *what)
{
	struct quantity q = resource_get(&n->status.allocatable, what);

	return strcmp(what, "cpu") == 0	     ? q.milli
	       : strcmp(what, "memory") == 0 ? q.milli / 1000 / 4096
					     : q.milli / 1000;
}

struct used {
	int64_t cpu, pages, pods;
};
static struct used slow_used(const struct world *w, const struct node *n)
{
	struct used u = { 0 };

	for (size_t i = 0; i < w->pod_count; i++) {
		int64_t cpu, memory;
		if (strcmp(w->pods[i]->spec.node_name, n->metadata.name) != 0)
			continue;
		pod_requests(w->pods[i], &cpu, &memory);
		u.cpu += cpu;
		u.pages += pages(memory);
		u.pods++;
	}
	return u;
}

static const char *label(const struct node *n, const char *key)
{
	return string_map_get(&n->metadata.labels, key);
}

static bool same_space(const struct pod *a, const struct pod *b)
{
	return strcmp(a->metadata.namespace, b->metadata.namespace) == 0;
}

/* Pods that the constraint counts in one domain. */
static int slow_count(const struct world *w, const struct pod *p, const struct label_selector *s,
		      const char *key, const char *value, bool leaving_too)
{
	int count = 0;

	for (size_t i = 0; i < w->pod_count; i++) {
		const struct pod *other = w->pods[i];
		const struct node *n = slow_node(w, other->spec.node_name);
		count += n && label(n, key) && strcmp(label(n, key), value) == 0 && same_space(p, other) &&
			 (leaving_too || !other->metadata.deletion.nsec) &&
			 label_selector_matches(s, &other->metadata.labels);
	}
	return count;
}

static enum place_reason slow_static(const struct pod *p, const struct node *n)
{
	struct taint cordon = { .key = TAINT_UNSCHEDULABLE, .effect = TAINT_NO_SCHEDULE };
	enum place_reason by_taint = PLACE_FITS;
	bool any = !p->spec.affinity.node_required.count;

	if (n->spec.unschedulable && !slow_tolerates(p, &cordon))
		return PLACE_UNSCHEDULABLE;
	if (!node_is_ready(n))
		return PLACE_NOT_READY;
	for (size_t i = 0; i < n->spec.taints.count && by_taint == PLACE_FITS; i++)
		if (n->spec.taints.items[i].effect != TAINT_PREFER_NO_SCHEDULE &&
		    !slow_tolerates(p, &n->spec.taints.items[i]))
			by_taint = PLACE_TAINT;
	for (size_t i = 0; i < p->spec.node_selector.count; i++)
		if (!str_equal(label(n, p->spec.node_selector.items[i].key),
			       p->spec.node_selector.items[i].value))
			return PLACE_SELECTOR;
	for (size_t i = 0; i < p->spec.affinity.node_required.count; i++) {
		const struct node_selector_term *t = &p->spec.affinity.node_required.items[i];
		struct label_selector s = { .match_expressions = { t->match_expressions.items,
								   t->match_expressions.count } };
		any |= label_selector_matches(&s, &n->metadata.labels);
	}
	if (!any)
		return PLACE_SELECTOR;
	if (level(label(n, STUBE_PROTECTION_CLASS)) <
	    level(string_map_get(&p->metadata.labels, STUBE_PROTECTION_NEED)))
		return PLACE_PROTECTION;
	return by_taint;
}

static bool slow_spread_allows(const struct world *w, const struct pod *p, const struct node *n,
			       const struct spread_constraint *c)
{
	int least = INT32_MAX;

	if (!label(n, c->topology_key))
		return false;
	for (size_t i = 0; i < w->node_count; i++)
		if (label(w->nodes[i], c->topology_key) && slow_static(p, w->nodes[i]) == PLACE_FITS)
			least = MIN(least, slow_count(w, p, c->selector, c->topology_key,
						      label(w->nodes[i], c->topology_key), false));
	return slow_count(w, p, c->selector, c->topology_key, label(n, c->topology_key), false) +
		       label_selector_matches(c->selector, &p->metadata.labels) - least <=
	       c->max_skew;
}

static bool slow_anti(const struct world *w, const struct pod *p, const struct node *n)
{
	for (size_t i = 0; i < p->spec.affinity.anti_required.count; i++) {
		const struct pod_anti_affinity_term *t = &p->spec.affinity.anti_required.items[i];
		if (label(n, t->topology_key) &&
		    slow_count(w, p, t->selector, t->topology_key, label(n, t->topology_key), true))
			return true;
	}
	for (size_t i = 0; i < w->pod_count; i++) {
		const struct pod *o = w->pods[i];
		const struct node *there = slow_node(w, o->spec.node_name);
		for (size_t j = 0; there && j < o->spec.affinity.anti_required.count; j++) {
			const struct pod_anti_affinity_term *t = &o->spec.affinity.anti_required.items[j];
			if (same_space(o, p) && label(n, t->topology_key) &&
			    str_equal(label(n, t->topology_key), label(there, t->topology_key)) &&
			    label_selector_matches(t->selector, &p->metadata.labels))
				return true;
		}
	}
	return false;
}

static bool slow_port_taken(const struct world *w, const struct pod *p, const struct node *n)
{
	for (size_t i = 0; i < w->pod_count; i++)
		if (strcmp(w->pods[i]->spec.node_name, n->metadata.name) == 0 &&
		    p->spec.containers.items[0].ports.count &&
		    w->pods[i]->spec.containers.items[0].ports.count &&
		    p->spec.containers.items[0].ports.items[0].container_port ==
			    w->pods[i]->spec.containers.items[0].ports.items[0].container_port &&
		    p->spec.containers.items[0].ports.items[0].protocol ==
			    w->pods[i]->spec.containers.items[0].ports.items[0].protocol)
			return true;
	return false;
}

static enum place_reason slow_reason(const struct world *w, const struct pod *p, const struct node *n,
				     const char *claim)
{
	enum place_reason reason = slow_static(p, n);
	struct used u = slow_used(w, n);
	int64_t cpu, memory;

	if (reason != PLACE_FITS)
		return reason;
	pod_requests(p, &cpu, &memory);
	if (claim && strcmp(claim, n->metadata.name) != 0)
		return PLACE_CLAIM;
	if (u.cpu + cpu > has(n, "cpu"))
		return PLACE_CPU;
	if (u.pages + pages(memory) > has(n, "memory"))
		return PLACE_MEMORY;
	if (u.pods >= has(n, "pods"))
		return PLACE_PODS;
	if (slow_port_taken(w, p, n))
		return PLACE_PORT;
	for (size_t i = 0; i < p->spec.spread.count; i++)
		if (p->spec.spread.items[i].when_unsatisfiable == SPREAD_DO_NOT_SCHEDULE &&
		    !slow_spread_allows(w, p, n, &p->spec.spread.items[i]))
			return PLACE_SPREAD;
	return slow_anti(w, p, n) ? PLACE_ANTI_AFFINITY : PLACE_FITS;
}

/* By zone, or by node when key is NULL. */
static int slow_kin(const struct world *w, const struct pod *p, const struct node *n, const char *key)
{
	int count = 0;

	if (!p->metadata.owners.count)
		return 0;
	for (size_t i = 0; i < w->pod_count; i++) {
		const struct pod *o = w->pods[i];
		const struct node *there = slow_node(w, o->spec.node_name);
		if (!there || !o->metadata.owners.count || o->metadata.deletion.nsec ||
		    strcmp(o->metadata.owners.items[0].uid, p->metadata.owners.items[0].uid) != 0)
			continue;
		count += key ? str_equal(label(there, key), label(n, key)) : there == n;
	}
	return count;
}

/* The score in words of place.h, the first number counts most. */
struct score {
	int64_t part[8];
};
static struct score slow_score(const struct world *w, const struct pod *p, const struct node *n)
{
	struct score s = { { 0 } };
	struct used u = slow_used(w, n);
	int64_t cpu, memory;

	for (size_t i = 0; i < p->spec.spread.count; i++) {
		const struct spread_constraint *c = &p->spec.spread.items[i];
		s.part[i] = label(n, c->topology_key) ? slow_count(w, p, c->selector, c->topology_key,
								   label(n, c->topology_key), false)
						      : INT32_MAX;
	}
	if (!p->spec.spread.count) {
		s.part[0] = slow_kin(w, p, n, NULL);
		s.part[1] = slow_kin(w, p, n, LABEL_ZONE);
	}
	for (size_t i = 0; i < n->spec.taints.count; i++)
		s.part[4] += n->spec.taints.items[i].effect == TAINT_PREFER_NO_SCHEDULE &&
			     !slow_tolerates(p, &n->spec.taints.items[i]);
	s.part[5] = level(label(n, STUBE_PROTECTION_CLASS)) -
		    level(string_map_get(&p->metadata.labels, STUBE_PROTECTION_NEED));
	pod_requests(p, &cpu, &memory);
	if (!cpu && !memory) {
		s.part[6] = u.pods;
		return s;
	}
	int64_t whole = (1 << 30) - 1;
	s.part[6] = (has(n, "cpu") - u.cpu - cpu) * (whole / MAX(has(n, "cpu"), 1)) / 8192 +
		    (has(n, "memory") - u.pages - pages(memory)) / 256 *
			    (whole / MAX(has(n, "memory") / 256, 1)) / 8192;
	return s;
}

static bool better(const struct score *a, const struct node *an, const struct score *b, const struct node *bn)
{
	for (size_t i = 0; i < ARRAY_LEN(a->part); i++)
		if (a->part[i] != b->part[i])
			return a->part[i] < b->part[i];
	return strcmp(an->metadata.name, bn->metadata.name) < 0;
}

static const struct node *slow_choose(const struct world *w, const struct pod *p, const char *claim,
				      size_t counts[PLACE_REASON_COUNT])
{
	const struct node *best = NULL;
	struct score best_score = { { 0 } };

	memset(counts, 0, PLACE_REASON_COUNT * sizeof(*counts));
	for (size_t i = 0; i < w->node_count; i++) {
		const struct node *n = w->nodes[i];
		enum place_reason reason = slow_reason(w, p, n, claim);
		counts[reason]++;
		if (reason != PLACE_FITS)
			continue;
		struct score s = slow_score(w, p, n);
		if (!best || better(&s, n, &best_score, best)) {
			best = n;
			best_score = s;
		}
	}
	return best;
}

/* ---- random worlds: the same on every machine ---- */

static uint64_t seed;
static unsigned dice(unsigned sides)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % sides;
}
static const char *pick(const char *const *texts, unsigned count)
{
	return texts[dice(count)];
}
#define PICK(...) \
	pick((const char *const[]){ __VA_ARGS__ }, ARRAY_LEN(((const char *const[]){ __VA_ARGS__ })))

static struct node *random_node(struct arena *a, const char *name)
{
	struct node *n = make_node(a, name, PICK("1", "2", "4", "7500m"),
				   PICK("1Gi", "3000M", "1234567890", "8Gi"), PICK("3", "6", "20"), "");
	struct string_map *m = &n->metadata.labels;

	if (dice(6))
		m->items[m->count++] = (struct string_pair){ LABEL_ZONE, PICK("a", "b", "c") };
	if (dice(4))
		m->items[m->count++] =
			(struct string_pair){ "rack", PICK("1", "2", "3", "4", "5", "6", "7") };
	if (dice(2))
		m->items[m->count++] = (struct string_pair){ "disk", PICK("ssd", "hdd") };
	if (dice(2))
		m->items[m->count++] =
			(struct string_pair){ STUBE_PROTECTION_CLASS, PICK("normal", "high", "very-high") };
	m->items[m->count++] = (struct string_pair){ LABEL_HOSTNAME, name };
	if (!dice(5))
		make_taint(a, n, PICK("team", "gpu"), PICK("x", "y"), 1 + (int)dice(3));
	if (!dice(5))
		make_taint(a, n, "slow", "", TAINT_PREFER_NO_SCHEDULE);
	n->spec.unschedulable = !dice(12);
	make_ready(a, n, dice(12) != 0, "lost");
	return n;
}

static void random_affinity(struct arena *a, struct pod *p)
{
	struct node_selector_term *t = make_room(a, 2, sizeof(*t));
	struct selector_requirement *r = make_room(a, 2, sizeof(*r));
	const char **values = make_room(a, 2, sizeof(*values));

	values[0] = PICK("a", "b");
	values[1] = PICK("c", "b");
	r[0] = (struct selector_requirement){ LABEL_ZONE, 1 + (int)dice(2), { values, 2 } };
	r[1] = (struct selector_requirement){ "disk", SELECTOR_EXISTS + (int)dice(2), { NULL, 0 } };
	t[0].match_expressions.items = r;
	t[0].match_expressions.count = 1;
	t[1].match_expressions.items = r + 1;
	t[1].match_expressions.count = 1;
	p->spec.affinity.node_required.items = t;
	p->spec.affinity.node_required.count = 1 + dice(2);
}

static struct pod *random_pod(struct arena *a, unsigned number)
{
	const char *name = arena_printf(a, "pod-%u", number);
	struct pod *p =
		make_pod(a, name, PICK(NULL, "100m", "250m", "1", "1700m"),
			 PICK(NULL, "64Mi", "100M", "1Gi", "12345"), PICK("app=a", "app=b", "app=c,tier=x"));

	p->metadata.namespace = PICK("default", "default", "other");
	if (dice(2))
		make_owner(a, p, PICK("owner-1", "owner-2", "owner-3"));
	if (!dice(4))
		p->spec.node_selector = make_map(a, PICK("disk=ssd", "disk=hdd", "rack=1"));
	if (!dice(5))
		random_affinity(a, p);
	if (!dice(3))
		make_toleration(a, p,
				(struct toleration){ PICK("team", "gpu"), TOLERATION_EQUAL, PICK("x", "y"), 0,
						     NULL });
	if (!dice(8))
		make_toleration(a, p,
				(struct toleration){ "", TOLERATION_EXISTS, NULL, TAINT_NO_SCHEDULE, NULL });
	for (unsigned i = dice(3); i && dice(2); i--)
		make_spread(a, p, PICK(LABEL_ZONE, "rack", LABEL_HOSTNAME), 1 + (int)dice(2), dice(2),
			    PICK("app=a", "app=b", ""));
	if (!dice(5))
		make_anti(a, p, PICK(LABEL_ZONE, "rack", LABEL_HOSTNAME), PICK("app=a", "app=b", "app=c"));
	if (!dice(6))
		make_port(a, p, (uint16_t)(8000 + dice(3)), 1 + (int)dice(2));
	if (!dice(3))
		make_need(a, p, PICK("high", "very-high"));
	return p;
}

/* ---- both, side by side ---- */

static void check_explain(struct place *p, const struct world *w, const struct pod *pod, const char *claim)
{
	auto_arena struct arena *a = NULL;
	struct place_refusal *list;
	size_t count;

	assert_ok(arena_new(64 << 20, &a));
	assert_ok(place_explain(p, a, pod, claim, &list, &count));
	assert_int_equal(count, w->node_count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(list[i].reason, slow_reason(w, pod, slow_node(w, list[i].node), claim));
		if (i)
			assert_true(strcmp(list[i - 1].node, list[i].node) < 0);
	}
}

/* One Pod to both; the choice, or NULL. */
static const char *check_choice(struct place *p, const struct world *w, const struct pod *pod, bool commit)
{
	size_t counts[PLACE_REASON_COUNT];
	const char *claim =
		dice(10) || !w->node_count ? NULL : w->nodes[dice((unsigned)w->node_count)]->metadata.name;
	const struct node *best = slow_choose(w, pod, claim, counts);
	struct place_answer answer;

	assert_ok(place_choose(p, pod, claim, commit, &answer));
	assert_int_equal(answer.nodes, w->node_count);
	if (!best) {
		assert_null(answer.node);
		assert_memory_equal(answer.counts, counts, sizeof(counts));
		return NULL;
	}
	assert_non_null(answer.node);
	assert_string_equal(answer.node, best->metadata.name);
	return best->metadata.name;
}

static void bind(struct world *w, struct pod *pod, const char *node)
{
	pod->spec.node_name = node;
	w->pods[w->pod_count++] = pod;
}

static void change_node(struct arena *a, struct place *p, struct world *w, unsigned nodes)
{
	const char *name = arena_printf(a, "node-%02u", dice(nodes));
	size_t at = 0;

	while (at < w->node_count && strcmp(w->nodes[at]->metadata.name, name) != 0)
		at++;
	if (at < w->node_count && !dice(4)) {
		place_node_gone(p, name);
		w->nodes[at] = w->nodes[--w->node_count];
		return;
	}
	struct node *n = random_node(a, name);
	if (at < w->node_count && dice(2)) {
		/* The same labels: only its state or its size changes. */
		n->metadata.labels = w->nodes[at]->metadata.labels;
	}
	w->node_count = MAX(w->node_count, at + 1);
	w->nodes[at] = n;
	assert_ok(place_node(p, n));
}

static void change_pod(struct place *p, struct world *w)
{
	if (!w->pod_count)
		return;
	size_t at = dice((unsigned)w->pod_count);
	struct pod *pod = w->pods[at];

	if (!dice(3)) {
		pod->metadata.deletion.nsec = 1;
		assert_ok(place_add(p, pod));
		return;
	}
	place_remove(p, pod->metadata.uid);
	w->pods[at] = w->pods[--w->pod_count];
}

static struct place *fresh(const struct world *w)
{
	struct place *p;

	assert_ok(place_new(&p));
	for (size_t i = w->pod_count; i-- > 0;)
		assert_ok(place_add(p, w->pods[i]));
	for (size_t i = w->node_count; i-- > 0;)
		assert_ok(place_node(p, w->nodes[i]));
	return p;
}

static void check_same_as_fresh(struct arena *a, struct place *p, const struct world *w, unsigned number)
{
	struct place *built = fresh(w), *copy;

	assert_ok(place_copy(p, &copy));
	for (unsigned i = 0; i < 5; i++) {
		struct pod *pod = random_pod(a, number + i);
		struct place_answer one, other, third;
		assert_ok(place_choose(p, pod, NULL, false, &one));
		assert_ok(place_choose(built, pod, NULL, false, &other));
		assert_ok(place_choose(copy, pod, NULL, false, &third));
		assert_true(str_equal(one.node, other.node));
		assert_true(str_equal(one.node, third.node));
		assert_memory_equal(one.counts, other.counts, sizeof(one.counts));
		assert_memory_equal(one.counts, third.counts, sizeof(one.counts));
	}
	place_free(built);
	place_free(copy);
}

static void play(uint64_t first, const struct scan_version *version, unsigned nodes, unsigned steps)
{
	auto_arena struct arena *a = NULL;
	auto_free struct world *w = calloc(1, sizeof(*w));
	struct pod *kinds[8];
	struct place *p;

	assert_non_null(w);
	assert_ok(arena_new((size_t)1 << 30, &a));
	assert_ok(place_new(&p));
	p->scan = version->fn;
	seed = first;
	for (unsigned i = 0; i < nodes; i++)
		change_node(a, p, w, nodes);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		kinds[i] = random_pod(a, (unsigned)i);
	for (unsigned step = 0; step < steps; step++) {
		/* Often one of a few templates again, as replicas come. */
		struct pod *pod = random_pod(a, 1000 + step);
		if (dice(3)) {
			const char *name = pod->metadata.name;
			*pod = *kinds[dice(ARRAY_LEN(kinds))];
			pod->metadata.name = pod->metadata.uid = name;
		}
		const char *node = check_choice(p, w, pod, true);
		if (node && w->pod_count < PODS_MAX)
			bind(w, pod, node);
		if (!dice(3))
			change_pod(p, w);
		if (!dice(8))
			change_node(a, p, w, nodes);
		if (!dice(20))
			check_explain(p, w, random_pod(a, 100), NULL);
		if (!dice(40))
			check_same_as_fresh(a, p, w, 50);
	}
	place_free(p);
}

static void each_version(uint64_t first, unsigned nodes, unsigned steps)
{
	for (const struct scan_version *v = place_scan_versions; v->name; v++)
		if (v->supported())
			play(first, v, nodes, steps);
}

static void test_small_clusters_are_placed_as_the_slow_way_does(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 100; round++)
		each_version(round * 7919 + 1, 1 + round % 12, 60);
}

static void test_clusters_of_several_blocks_are_placed_as_the_slow_way_does(void **state)
{
	(void)state;
	each_version(42, 150, 100);
}

/* Key by key: the vectors and the plain sum. */
static void test_all_versions_of_the_scan_give_the_same_keys(void **state)
{
	(void)state;
	enum { N = 4 * BLOCK_NODES };
	static int32_t memory[6][N], row[N], least[N / BLOCK_NODES];
	static uint8_t admit[N];
	struct columns c = { memory[0], memory[1], memory[2], memory[3], memory[4], memory[5] };

	seed = 7;
	for (unsigned round = 0; round < 200; round++) {
		struct ask ask = { dice(4) ? (int32_t)dice(1u << 30) : 0,
				   dice(4) ? (int32_t)dice(1u << 30) : 0 };
		for (size_t i = 0; i < N; i++) {
			int32_t cpu = (int32_t)dice(COLUMN_MAX), size = (int32_t)dice(COLUMN_MAX);
			memory[4][i] = ((1 << 30) - 1) / MAX(cpu, 1);
			memory[5][i] = ((1 << 30) - 1) / MAX(size >> 8, 1);
			memory[0][i] = (int32_t)dice((unsigned)cpu + 2) - 1;
			memory[1][i] = (int32_t)dice((unsigned)size + 2) - 1;
			memory[2][i] = (int32_t)dice(4) - 1;
			memory[3][i] = (int32_t)dice(round % 2 ? 1u << 20 : 100);
			admit[i] = dice(4) ? (uint8_t)dice(31) : ADMIT_NO;
		}
		for (const struct scan_version *v = place_scan_versions; v->name; v++) {
			if (!v->supported())
				continue;
			v->fn(&c, admit, &ask, row, least, N);
			for (size_t i = 0; i < N; i++)
				assert_int_equal(row[i], place_key(&c, admit[i], &ask, i));
			for (size_t b = 0; b < N / BLOCK_NODES; b++) {
				int32_t expected = KEY_NONE;
				for (size_t i = b * BLOCK_NODES; i < (b + 1) * BLOCK_NODES; i++)
					expected = MIN(expected, row[i]);
				assert_int_equal(least[b], expected);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_clusters_are_placed_as_the_slow_way_does),
		cmocka_unit_test(test_clusters_of_several_blocks_are_placed_as_the_slow_way_does),
		cmocka_unit_test(test_all_versions_of_the_scan_give_the_same_keys),
	};

	return cmocka_run_group_tests_name("placement at random", tests, NULL, NULL);
}
