/* tests/bench/scheduler-place.c: placement as a library: how many a second, and how full clusters get.
 *
 *	scheduler-place [OPENB]
 *
 * Lines for tests/bench/scheduler.sh: CASE UNIT BETTER PEER VALUE, divided by tabs. Random numbers are the same in each
 * run. Times are CPU time of this process.
 *
 * place-N-nodes           N nodes at 80 % of their processors; each step one random Pod goes and one of 278 kinds comes
 * place-N-nodes-replicas  the same with 100 Pods of one owner in a row, which are spread over nodes and zones
 * quality-NAME            the 1,523 nodes of OPENB; Pods of the list NAME come in random order, again and again, until 130 %
 *                         of all processors were asked for: the share of processors given out then, GPUs left out;
 *                         the mean of ten orders. Beside it the same orders placed by first fit (name order), by the node
 *                         with the most left, and at random. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scheduler/place.h"

#define NEED(call)                                                       \
	do {                                                             \
		err *need_ = (call);                                     \
		if (need_) {                                             \
			auto_str struct str text = STR_INIT(4096);       \
			err_format(need_, &text);                        \
			fprintf(stderr, "%s: %s\n", #call, text.data);   \
			exit(1);                                         \
		}                                                        \
	} while (0)

static uint64_t seed = 1;
static unsigned dice(unsigned sides)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % sides;
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add_node(struct place *p, const char *name, int64_t cpu, int64_t mib, const char *zone)
{
	struct resource_amount amounts[] = {
		{ "cpu", { cpu, true } },
		{ "memory", { (mib << 20) * 1000, true } },
		{ "pods", { 1000 * 1000, true } },
	};
	struct string_pair labels[] = { { LABEL_ZONE, zone } };
	struct condition ready = { .type = "Ready", .status = CONDITION_TRUE };
	struct node n = { .metadata = { .name = name, .labels = { labels, zone != NULL } } };

	n.status.allocatable = (struct resource_list){ amounts, ARRAY_LEN(amounts) };
	n.status.conditions = (struct conditions){ &ready, 1 };
	NEED(place_node(p, &n));
}

/* ---- speed ---- */

enum { KINDS = 278, ROUNDS = 3, JOB = 100 };
struct request {
	int64_t cpu, mib;
};
static struct request requests[KINDS];

static void make_requests(void)
{
	static const int64_t cpus[] = { 100, 250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000, 16000 };

	for (size_t i = 0; i < KINDS; i++) {
		requests[i].cpu = cpus[dice(ARRAY_LEN(cpus))] + 10 * (int64_t)dice(9);
		requests[i].mib = requests[i].cpu * (int64_t)(1 + dice(6)) + (int64_t)dice(512);
	}
}

struct live {
	char uid[24];
	int64_t cpu;
};
struct load {
	struct place *place;
	struct live *live;
	size_t count, room;
	int64_t cpu, total;
	unsigned job;        /* replicas: Pods of the present job so far */
	struct request request;
	char owner[24];
	bool replicas;
};

static void next_request(struct load *l)
{
	if (l->replicas && l->job++ % JOB)
		return;
	l->request = requests[dice(KINDS)];
	snprintf(l->owner, sizeof(l->owner), "job-%u", l->job);
}

/* False: it fits nowhere. */
static bool arrive(struct load *l, struct live *slot)
{
	struct owner_reference owner = { "apps/v1", "ReplicaSet", l->owner, l->owner, true, true };
	struct pod_container c = { .name = "main" };
	struct pod pod = { .metadata = { .name = slot->uid, .namespace = "default", .uid = slot->uid } };
	struct place_answer answer;

	next_request(l);
	c.resources.requests.cpu = (struct quantity){ l->request.cpu, true };
	c.resources.requests.memory = (struct quantity){ (l->request.mib << 20) * 1000, true };
	pod.spec.containers.items = &c;
	pod.spec.containers.count = 1;
	pod.metadata.owners.items = &owner;
	pod.metadata.owners.count = l->replicas;
	NEED(place_choose(l->place, &pod, NULL, true, &answer));
	slot->cpu = l->request.cpu;
	l->cpu += answer.node ? slot->cpu : 0;
	return answer.node;
}

static void leave(struct load *l, struct live *slot)
{
	place_remove(l->place, slot->uid);
	l->cpu -= slot->cpu;
}

static void fill(struct load *l, size_t nodes)
{
	static const struct request shapes[] = { { 96000, 393216 }, { 104000, 524288 }, { 32000, 262144 }, { 16000, 122880 } };

	for (size_t i = 0; i < nodes; i++) {
		const struct request *shape = &shapes[dice(ARRAY_LEN(shapes))];
		char name[24], zone[8];
		snprintf(name, sizeof(name), "node-%05zu", i);
		snprintf(zone, sizeof(zone), "zone-%zu", i % 3);
		add_node(l->place, name, shape->cpu, shape->mib, zone);
		l->total += shape->cpu;
	}
	for (unsigned misses = 0; l->cpu < l->total / 5 * 4 && misses < 1000;) {
		struct live *slot = &l->live[l->count];
		snprintf(slot->uid, sizeof(slot->uid), "pod-%zu", l->count);
		if (arrive(l, slot))
			l->count++;
		else
			misses++;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void speed(const char *name, size_t nodes, bool replicas, size_t steps)
{
	struct load l = { .room = nodes * 400, .replicas = replicas };
	double rounds[ROUNDS];

	l.live = calloc(l.room, sizeof(*l.live));
	if (!l.live)
		exit(1);
	NEED(place_new(&l.place));
	fill(&l, nodes);
	for (size_t round = 0; round < ROUNDS; round++) {
		double begin = cpu_seconds();
		for (size_t i = 0; i < steps; i++) {
			struct live *slot = &l.live[dice((unsigned)l.count)];
			leave(&l, slot);
			if (!arrive(&l, slot)) {
				struct live last = l.live[--l.count];
				if (slot != &l.live[l.count])
					*slot = last;
			}
		}
		rounds[round] = (double)steps / (cpu_seconds() - begin);
	}
	qsort(rounds, ROUNDS, sizeof(*rounds), by_value);
	printf("%s\tplacements/s\thigher\tstube\t%.0f\n", name, rounds[ROUNDS / 2]);
	fprintf(stderr, "%s: %zu Pods, %.1f %% of the processors taken at the end\n", name, l.count,
		100.0 * (double)l.cpu / (double)l.total);
	fflush(stdout);
	place_free(l.place);
	free(l.live);
}

/* ---- quality ---- */

enum { OPENB_MAX = 16384, ORDERS = 10 };
struct row {
	char name[32];
	int64_t cpu, mib;
};
static struct row nodes[OPENB_MAX], pods[OPENB_MAX];

/* Columns name, cpu_milli, memory_mib come first in all files. */
static size_t read_rows(const char *path, struct row *rows)
{
	char line[512];
	size_t count = 0;
	FILE *f = fopen(path, "re");

	while (f && count < OPENB_MAX && fgets(line, sizeof(line), f)) {
		char *save = NULL, *name = strtok_r(line, ",", &save), *cpu = strtok_r(NULL, ",", &save);
		char *mib = strtok_r(NULL, ",\n", &save);
		uint64_t c, m;
		if (!name || !cpu || !mib || !str_to_u64(cpu, &c) || !str_to_u64(mib, &m))
			continue;
		snprintf(rows[count].name, sizeof(rows[count].name), "%s", name);
		rows[count].cpu = (int64_t)c;
		rows[count++].mib = (int64_t)m;
	}
	if (f)
		fclose(f);
	return count;
}

enum policy { STUBE, FIRST_FIT, MOST_LEFT, AT_RANDOM, POLICIES };
static const char *const policy_names[] = { "stube", "first-fit", "most-left", "random" };

static bool better(enum policy policy, const struct row *a, const struct row *whole_a, const struct row *b,
		   const struct row *whole_b)
{
	if (policy != MOST_LEFT)
		return false;
	/* As Kubernetes' LeastAllocated: the mean of the shares that are left. */
	return (double)a->cpu / (double)whole_a->cpu + (double)a->mib / (double)whole_a->mib >
	       (double)b->cpu / (double)whole_b->cpu + (double)b->mib / (double)whole_b->mib;
}

static bool place_plainly(enum policy policy, struct row *left, size_t count, const struct row *pod)
{
	size_t best = count, fitting = 0;

	for (size_t i = 0; i < count; i++) {
		if (left[i].cpu < pod->cpu || left[i].mib < pod->mib)
			continue;
		fitting++;
		if (best == count || (policy == AT_RANDOM && dice((unsigned)fitting) == 0) ||
		    better(policy, &left[i], &nodes[i], &left[best], &nodes[best]))
			best = i;
	}
	if (best == count)
		return false;
	left[best].cpu -= pod->cpu;
	left[best].mib -= pod->mib;
	return true;
}

static bool place_with_stube(struct place *p, const struct row *pod, unsigned number)
{
	struct pod_container c = { .name = "main" };
	char uid[24];
	struct pod one = { .metadata = { .name = pod->name, .namespace = "default", .uid = uid } };
	struct place_answer answer;

	snprintf(uid, sizeof(uid), "%u", number);
	c.resources.requests.cpu = (struct quantity){ pod->cpu, true };
	c.resources.requests.memory = (struct quantity){ (pod->mib << 20) * 1000, true };
	one.spec.containers.items = &c;
	one.spec.containers.count = 1;
	NEED(place_choose(p, &one, NULL, true, &answer));
	return answer.node;
}

/* The share of processors given out. */
static double one_order(enum policy policy, size_t node_count, size_t pod_count, uint64_t order)
{
	static struct row left[OPENB_MAX];
	int64_t total = 0, given = 0, asked = 0;
	struct place *p = NULL;

	memcpy(left, nodes, sizeof(left));
	if (policy == STUBE)
		NEED(place_new(&p));
	for (size_t i = 0; i < node_count; i++) {
		total += nodes[i].cpu;
		if (p)
			add_node(p, nodes[i].name, nodes[i].cpu, nodes[i].mib, NULL);
	}
	for (unsigned number = 0; asked < total / 10 * 13; number++) {
		/* The order is the same for each policy, whatever dice a policy throws itself. */
		uint64_t own = seed;
		seed = order * 1000003 + number;
		dice(2);
		const struct row *pod = &pods[dice((unsigned)pod_count)];
		seed = own;
		asked += pod->cpu;
		bool placed = p ? place_with_stube(p, pod, number) : place_plainly(policy, left, node_count, pod);
		given += placed ? pod->cpu : 0;
	}
	place_free(p);
	return 100.0 * (double)given / (double)total;
}

static void quality(const char *openb, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/openb_node_list_all_node.csv", openb);
	size_t node_count = read_rows(path, nodes);
	snprintf(path, sizeof(path), "%s/pods/openb_pod_list_%s.csv", openb, name);
	size_t pod_count = read_rows(path, pods);
	if (!node_count || !pod_count)
		return;
	for (enum policy policy = 0; policy < POLICIES; policy++) {
		double sum = 0;
		for (uint64_t order = 1; order <= ORDERS; order++)
			sum += one_order(policy, node_count, pod_count, order);
		printf("quality-%s\t%% of cpu\thigher\t%s\t%.2f\n", name, policy_names[policy], sum / ORDERS);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static const char *const workloads[] = { "default", "cpu100", "cpu250", "gpushare100", "gpuspec33", "multigpu50" };

	make_requests();
	speed("place-1000-nodes", 1000, false, 400000);
	speed("place-10000-nodes", 10000, false, 200000);
	speed("place-10000-nodes-replicas", 10000, true, 200000);
	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(workloads); i++)
		quality(argv[1], workloads[i]);
	return 0;
}
