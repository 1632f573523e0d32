/* scheduler/metrics.c: Prometheus' text format. Ref: Prometheus, "Exposition formats"; names as Kubernetes
 * has them. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/node.h"
#include "base/cli.h"
#include "base/clock.h"
#include "base/file.h"
#include "scheduler/api-internal.h"
#include "scheduler/index.h"

enum { BUCKETS = 12, SERIES_MAX = 4096 };
static const double bounds[BUCKETS] = {
	0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30
};

struct histogram {
	uint64_t buckets[BUCKETS], count;
	double sum;
};
/* One combination of labels. */
struct series {
	char *labels;
	uint64_t count;
	struct histogram histogram;
};

struct metrics {
	struct scheduler *s;
	struct index requests;	/* by labels verb, resource, code */
	struct index durations; /* by labels verb, resource */
	struct histogram placements[2];
	double started;
};

static void observe(struct histogram *h, int64_t nsec)
{
	double seconds = (double)nsec / (double)NSEC_PER_SEC;

	h->count++;
	h->sum += seconds;
	for (int i = BUCKETS - 1; i >= 0 && seconds <= bounds[i]; i--)
		h->buckets[i]++;
}

static struct series *series_of(struct index *ix, const char *labels)
{
	struct series *x = index_get(ix, labels);

	/* The labels come from our own tables; a ceiling all the same. */
	if (x || ix->count >= SERIES_MAX)
		return x;
	x = calloc(1, sizeof(*x));
	if (!x || !(x->labels = strdup(labels)))
		abort();
	index_put(ix, labels, x);
	return x;
}

void metrics_request(struct metrics *m, const char *verb, const char *resource, int code, int64_t nsec)
{
	char labels[256];
	struct series *x;

	snprintf(labels, sizeof(labels), "verb=\"%s\",resource=\"%s\",code=\"%d\"", verb, resource, code);
	x = series_of(&m->requests, labels);
	if (x)
		x->count++;
	if (str_equal(verb, "watch"))
		return;
	snprintf(labels, sizeof(labels), "verb=\"%s\",resource=\"%s\"", verb, resource);
	x = series_of(&m->durations, labels);
	if (x)
		observe(&x->histogram, nsec);
}

void metrics_placement(struct metrics *m, bool placed, int64_t nsec)
{
	observe(&m->placements[placed], nsec);
}

/* ---- writing ---- */

static void family(struct str *out, const char *name, const char *type, const char *help)
{
	str_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct str *out, const char *name, const char *type, const char *help, double value)
{
	family(out, name, type, help);
	str_addf(out, "%s %.17g\n", name, value);
}

static void write_histogram(struct str *out, const char *name, const char *labels, const struct histogram *h)
{
	for (int i = 0; i < BUCKETS; i++)
		str_addf(out, "%s_bucket{%s,le=\"%g\"} %" PRIu64 "\n", name, labels, bounds[i],
			 h->buckets[i]);
	str_addf(out, "%s_bucket{%s,le=\"+Inf\"} %" PRIu64 "\n", name, labels, h->count);
	str_addf(out, "%s_sum{%s} %.9g\n%s_count{%s} %" PRIu64 "\n", name, labels, h->sum, name, labels,
		 h->count);
}

static bool write_request(void *value, void *user)
{
	const struct series *x = value;

	str_addf(user, "apiserver_request_total{%s} %" PRIu64 "\n", x->labels, x->count);
	return true;
}

static bool write_duration(void *value, void *user)
{
	const struct series *x = value;

	write_histogram(user, "apiserver_request_duration_seconds", x->labels, &x->histogram);
	return true;
}

static void write_requests(struct metrics *m, struct str *out)
{
	family(out, "apiserver_request_total", "counter",
	       "Requests answered, by verb, resource and HTTP code.");
	index_each(&m->requests, "", NULL, write_request, out);
	family(out, "apiserver_request_duration_seconds", "histogram",
	       "Time from a request's head to its answer.");
	index_each(&m->durations, "", NULL, write_duration, out);
}

static void write_placements(struct metrics *m, struct str *out)
{
	static const char *const results[] = { "result=\"unschedulable\"", "result=\"scheduled\"" };

	family(out, "scheduler_schedule_attempts_total", "counter", "Attempts to find a node for a Pod.");
	for (int i = 0; i < 2; i++)
		str_addf(out, "scheduler_schedule_attempts_total{%s} %" PRIu64 "\n", results[i],
			 m->placements[i].count);
	one(out, "scheduler_pending_pods", "gauge", "Pods that wait for a node.",
	    m->s->binder ? (double)binder_waiting(m->s->binder) : 0);
	family(out, "scheduler_scheduling_attempt_duration_seconds", "histogram", "Time of one attempt.");
	for (int i = 0; i < 2; i++)
		write_histogram(out, "scheduler_scheduling_attempt_duration_seconds", results[i],
				&m->placements[i]);
}

enum { NODE_READY, NODE_NOT_READY, NODE_STATES };
struct node_counts {
	unsigned states[NODE_STATES], cordoned;
};

static bool count_node(const struct entry *e, void *user)
{
	const struct node *node = (const struct node *)(const void *)e->object;
	struct node_counts *n = user;

	n->states[node_is_ready(node) ? NODE_READY : NODE_NOT_READY]++;
	n->cordoned += node->spec.unschedulable;
	return true;
}

static void write_objects(struct scheduler *s, struct str *out)
{
	struct node_counts nodes = { 0 };

	family(out, "apiserver_storage_objects", "gauge", "Objects in the store, by resource.");
	for (int i = 0; i < KIND_COUNT; i++)
		str_addf(out, "apiserver_storage_objects{resource=\"%s\"} %zu\n", kinds[i].plural,
			 cache_count(s->cache, (enum kind_id)i));
	cache_each(s->cache, KIND_NODE, NULL, count_node, &nodes);
	family(out, "stube_nodes", "gauge",
	       "Nodes, by state; a cordoned one also counts as ready or not ready.");
	str_addf(out,
		 "stube_nodes{state=\"ready\"} %u\nstube_nodes{state=\"not-ready\"} "
		 "%u\nstube_nodes{state=\"cordoned\"} %u\n",
		 nodes.states[NODE_READY], nodes.states[NODE_NOT_READY], nodes.cordoned);
	one(out, "stube_watchers", "gauge", "Watches that are open.", (double)watches_count(s->watches));
	unsigned connections = 0;
	for (size_t i = 0; i < ARRAY_LEN(s->servers); i++)
		connections += s->servers[i] ? server_connections(s->servers[i]) : 0;
	one(out, "stube_connections", "gauge", "Connections that are open.", connections);
}

static void write_store(struct scheduler *s, struct str *out)
{
	struct store_stats t;

	store_stats(s->store, &t);
	const struct {
		const char *name, *type, *help;
		double value;
	} rows[] = {
		{ "stube_store_commits_total", "counter", "Commits to the disk, each of many transactions.",
		  (double)t.commits },
		{ "stube_store_transactions_total", "counter", "Transactions that went in.",
		  (double)t.transactions },
		{ "stube_store_conflicts_total", "counter",
		  "Transactions that found another revision than expected.", (double)t.conflicts },
		{ "stube_store_failures_total", "counter", "Commits that failed.", (double)t.failures },
		{ "stube_store_commit_seconds_total", "counter", "Time spent in commits.", t.commit_seconds },
		{ "stube_store_bytes", "gauge", "Size of the database and its log.", (double)t.bytes },
		{ "stube_store_keys", "gauge", "Keys in the store.", (double)t.keys },
		{ "stube_store_revision", "gauge", "The store's revision.",
		  (double)store_revision(s->store) },
		{ "stube_store_full", "gauge", "1 while writes fail for want of space.", t.full },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		one(out, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
}

/* ---- this process ---- */

static double resident_bytes(void)
{
	auto_str struct str text = STR_INIT(4096);
	unsigned long pages = 0;

	IGNORE(file_read(AT_FDCWD, "/proc/self/statm", &text));
	if (sscanf(text.data, "%*u %lu", &pages) != 1)
		return 0;
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static unsigned open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count > 3 ? count - 3 : 0; /* ".", ".." and the directory itself */
}

static void write_process(struct metrics *m, struct str *out)
{
	struct rusage use = { 0 };
	struct rlimit limit = { 0 };

	getrusage(RUSAGE_SELF, &use);
	getrlimit(RLIMIT_NOFILE, &limit);
	one(out, "process_cpu_seconds_total", "counter", "Processor time of this program.",
	    (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
		    (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
	one(out, "process_resident_memory_bytes", "gauge", "Memory of this program.", resident_bytes());
	one(out, "process_open_fds", "gauge", "Open descriptors.", open_fds());
	one(out, "process_max_fds", "gauge", "How many there may be.", (double)limit.rlim_cur);
	one(out, "process_start_time_seconds", "gauge", "When this program began, since the epoch.",
	    m->started);
}

void metrics_write(struct metrics *m, struct str *out)
{
	family(out, "stube_build_info", "gauge", "The version that runs.");
	str_addf(out, "stube_build_info{version=\"%s\"} 1\n", stube_version);
	write_requests(m, out);
	write_placements(m, out);
	write_objects(m->s, out);
	write_store(m->s, out);
	pki_terms_write(&m->s->terms, out);
	write_process(m, out);
}

err *metrics_new(struct scheduler *s, struct metrics **ret)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return err_oom();
	m->s = s;
	m->started = (double)clock_real() / (double)NSEC_PER_SEC;
	*ret = m;
	return NULL;
}

static bool free_series(void *value, void *user)
{
	struct series *x = value;

	(void)user;
	free(x->labels);
	free(x);
	return true;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	index_each(&m->requests, "", NULL, free_series, NULL);
	index_each(&m->durations, "", NULL, free_series, NULL);
	index_done(&m->requests);
	index_done(&m->durations);
	free(m);
}
