/* tests/bench/scheduler-load.c: load for a running scheduler, over its Unix socket.
 *
 *	scheduler-load SOCKET PID
 *
 * Lines for tests/bench/scheduler.sh: CASE UNIT BETTER PEER VALUE, divided by tabs. Wall time, since it is the disk that
 * is waited for; each write is on the disk before it is answered.
 *
 * memory-idle       resident memory of the scheduler with no Pod
 * api-writes-N      Pods created a second by N connections
 * watch-latency-*   from the begin of a create to its event at a watcher: median, and 99 of 100
 * api-bind-sqlite   Pods bound a second, from the moment when 100 nodes appear until all are bound
 * memory-per-pod    growth of resident memory for each of those Pods, bound, with their Events */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/client.h"
#include "api/node.h"
#include "api/pod.h"
#include "base/clock.h"
#include "base/file.h"

enum { WRITES = 2000, EVENTS = 400, NODES = 100, PODS = 5000, MAKERS = 16 };

#define NEED(call)                                                     \
	do {                                                           \
		err *need_ = (call);                                   \
		if (need_) {                                           \
			auto_str struct str why = STR_INIT(4096);      \
			err_format(need_, &why);                       \
			fprintf(stderr, "%s: %s\n", #call, why.data);  \
			exit(1);                                       \
		}                                                      \
	} while (0)

static struct api_config config = { .name = "bench", .namespace = "default" };
static const char *pid;

static void put(const char *name, const char *unit, const char *better, double value)
{
	printf("%s\t%s\t%s\tstube\t%.2f\n", name, unit, better, value);
	fflush(stdout);
}

static double resident_kib(void)
{
	auto_str struct str text = STR_INIT(1 << 16);
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	NEED(file_read(AT_FDCWD, path, &text));
	const char *line = strstr(text.data, "VmRSS:");
	return line ? strtod(line + strlen("VmRSS:"), NULL) : 0;
}

static void create(struct api_client *c, const char *name, const char *group, bool waits)
{
	auto_arena struct arena *arena = NULL;
	char text[1024];
	struct object *object;

	snprintf(text, sizeof(text),
		 "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"default\","
		 "\"labels\":{\"app\":\"%s\"}},\"spec\":{%s\"containers\":[{\"name\":\"main\",\"image\":\"example.org/x:1\","
		 "\"resources\":{\"requests\":{\"cpu\":\"100m\",\"memory\":\"64Mi\"}}}]}}",
		 name, group, waits ? "\"nodeSelector\":{\"none\":\"here\"}," : "");
	NEED(arena_new(1 << 20, &arena));
	NEED(object_decode(arena, "pod", text, strlen(text), &kinds[KIND_POD], 0, &object));
	NEED(api_create(c, arena, object, false, NULL));
}

/* ---- writes ---- */

struct maker {
	pthread_t thread;
	const char *group;
	int from, count;
	bool waits;
};

static void *make(void *arg)
{
	struct maker *m = arg;
	auto_api_client struct api_client *c = NULL;
	char name[64];

	NEED(api_client_new(&config, "bench", &c));
	for (int i = 0; i < m->count; i++) {
		snprintf(name, sizeof(name), "%s-%d", m->group, m->from + i);
		create(c, name, m->group, m->waits);
	}
	return NULL;
}

/* Seconds that so many creates took. */
static double make_all(const char *group, int count, int makers, bool waits)
{
	struct maker m[MAKERS];
	int64_t begun = clock_monotonic();

	for (int i = 0; i < makers; i++) {
		m[i] = (struct maker){ .group = group, .from = i * (count / makers), .count = count / makers, .waits = waits };
		if (pthread_create(&m[i].thread, NULL, make, &m[i]))
			exit(1);
	}
	for (int i = 0; i < makers; i++)
		pthread_join(m[i].thread, NULL);
	return (double)(clock_monotonic() - begun) / (double)NSEC_PER_SEC;
}

static void delete_all(const char *group)
{
	auto_api_client struct api_client *c = NULL;
	auto_str struct str out = STR_INIT(64 << 20);
	char path[256];

	NEED(api_client_new(&config, "bench", &c));
	snprintf(path, sizeof(path), "/api/v1/namespaces/default/pods?gracePeriodSeconds=0&labelSelector=app%%3D%s", group);
	NEED(api_raw(c, "DELETE", path, NULL, NULL, &out));
}

/* ---- watches ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t news;
	char name[64];
	int64_t seen;
	bool synced;
} watched = { .lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER };
static atomic_bool enough;

static err *on_event(const struct watch_event *event, void *user)
{
	(void)user;
	pthread_mutex_lock(&watched.lock);
	if (event->type == WATCH_SYNCED)
		watched.synced = true;
	if (event->type == WATCH_ADDED && str_equal(event->object->metadata.name, watched.name))
		watched.seen = clock_monotonic();
	pthread_cond_broadcast(&watched.news);
	pthread_mutex_unlock(&watched.lock);
	return NULL;
}

static void *watch(void *arg)
{
	auto_api_client struct api_client *c = NULL;
	struct api_query query = { .labels = "app=watched" };

	(void)arg;
	NEED(api_client_new(&config, "bench", &c));
	err_free(api_follow(c, &kinds[KIND_POD], "default", &query, on_event, NULL, NULL, &enough));
	return NULL;
}

static int by_value(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

static void measure_watch(void)
{
	static int64_t took[EVENTS];
	auto_api_client struct api_client *c = NULL;
	pthread_t thread;

	NEED(api_client_new(&config, "bench", &c));
	if (pthread_create(&thread, NULL, watch, NULL))
		exit(1);
	pthread_mutex_lock(&watched.lock);
	while (!watched.synced)
		pthread_cond_wait(&watched.news, &watched.lock);
	for (int i = 0; i < EVENTS; i++) {
		snprintf(watched.name, sizeof(watched.name), "watched-%d", i);
		watched.seen = 0;
		pthread_mutex_unlock(&watched.lock);
		int64_t begun = clock_monotonic();
		create(c, watched.name, "watched", true);
		pthread_mutex_lock(&watched.lock);
		while (!watched.seen)
			pthread_cond_wait(&watched.news, &watched.lock);
		took[i] = watched.seen - begun;
	}
	pthread_mutex_unlock(&watched.lock);
	enough = true;
	pthread_join(thread, NULL);
	qsort(took, EVENTS, sizeof(*took), by_value);
	put("watch-latency-median", "ms", "lower", (double)took[EVENTS / 2] / 1e6);
	put("watch-latency-99", "ms", "lower", (double)took[EVENTS * 99 / 100] / 1e6);
}

/* ---- binding ---- */

static void make_nodes(struct api_client *c)
{
	for (int i = 0; i < NODES; i++) {
		auto_arena struct arena *arena = NULL;
		char text[1024];
		struct object *object;
		snprintf(text, sizeof(text),
			 "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"node-%d\"},\"status\":{\"allocatable\":"
			 "{\"cpu\":\"64\",\"memory\":\"256Gi\",\"pods\":\"500\"},\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}", i);
		NEED(arena_new(1 << 20, &arena));
		NEED(object_decode(arena, "node", text, strlen(text), &kinds[KIND_NODE], 0, &object));
		NEED(api_create(c, arena, object, false, NULL));
		NEED(api_replace(c, arena, object, "status", false, NULL));
	}
}

static size_t count_bound(struct api_client *c)
{
	auto_arena struct arena *arena = NULL;
	struct api_query query = { .labels = "app=bound", .fields = "spec.nodeName!=" };
	struct object_list list;

	NEED(arena_new(1 << 30, &arena));
	NEED(api_list(c, arena, &kinds[KIND_POD], "default", &query, &list));
	return list.count;
}

static void measure_bind(void)
{
	auto_api_client struct api_client *c = NULL;
	double before = resident_kib();

	NEED(api_client_new(&config, "bench", &c));
	make_all("bound", PODS, MAKERS, false);
	int64_t begun = clock_monotonic();
	make_nodes(c);
	while (count_bound(c) < PODS / MAKERS * MAKERS)
		nanosleep(&(struct timespec){ .tv_nsec = 20 * NSEC_PER_MSEC }, NULL);
	double seconds = (double)(clock_monotonic() - begun) / (double)NSEC_PER_SEC;
	put("api-bind-sqlite", "Pods/s", "higher", PODS / MAKERS * MAKERS / seconds);
	put("memory-per-pod", "KiB", "lower", (resident_kib() - before) / (PODS / MAKERS * MAKERS));
}

int main(int argc, char **argv)
{
	char server[4096];

	if (argc != 3)
		return 2;
	snprintf(server, sizeof(server), "unix://%s", argv[1]);
	config.server = server;
	pid = argv[2];
	put("memory-idle", "KiB", "lower", resident_kib());
	put("api-writes-1", "writes/s", "higher", WRITES / make_all("one", WRITES, 1, true));
	delete_all("one");
	put("api-writes-16", "writes/s", "higher", WRITES / make_all("many", WRITES, MAKERS, true));
	delete_all("many");
	measure_watch();
	delete_all("watched");
	measure_bind();
	return 0;
}
