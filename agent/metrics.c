/* agent/metrics.c: the node's metrics in Prometheus' text format, with the kubelet's and cAdvisor's names. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/node-internal.h"
#include "base/cli.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "net/pki-terms.h"

enum { SEEN_MAX = 4096, PROCESSES_MAX = 4096 };
#define TERMS_EVERY (3600 * (int64_t)NSEC_PER_SEC)
#define PART_MAX ((size_t)16 << 20)

static const double start_bounds[] = { 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600 };

struct seen {
	char *uid;
	int64_t at; /* clock_boot() */
};

struct metrics {
	struct node_agent *agent;
	struct seen *seen; /* Pods that do not run yet */
	size_t seen_count;
	uint64_t start_buckets[ARRAY_LEN(start_bounds)], start_count;
	double start_sum;
	uint64_t execs, exec_failures;
	struct pki_terms terms;
	struct loop_source *daily;
};

static void look_at_terms(void *user)
{
	struct metrics *m = user;

	pki_terms_look(&m->terms);
	IGNORE(loop_timer_set(m->daily, clock_boot() + TERMS_EVERY));
}

void metrics_certificates(struct metrics *m, const struct api_config *c)
{
	if (c->cert)
		pki_terms_set(&m->terms, c->cert, c->ca);
}

err *metrics_new(struct node_agent *agent, struct metrics **ret)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return err_oom();
	m->agent = agent;
	m->seen = calloc(SEEN_MAX, sizeof(*m->seen));
	if (!m->seen) {
		free(m);
		return err_oom();
	}
	metrics_certificates(m, &agent->options->api);
	err *e = loop_timer(agent->loop, clock_boot() + TERMS_EVERY, look_at_terms, m, &m->daily);
	if (e) {
		metrics_free(m);
		return e;
	}
	*ret = m;
	return NULL;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->seen_count; i++)
		free(m->seen[i].uid);
	loop_source_free(m->daily);
	free(m->seen);
	free(m);
}

/* ---- how long Pods take to run ---- */

static struct seen *find_seen(struct metrics *m, const char *uid)
{
	for (size_t i = 0; i < m->seen_count; i++)
		if (str_equal(m->seen[i].uid, uid))
			return &m->seen[i];
	return NULL;
}

void metrics_seen(struct metrics *m, const char *uid)
{
	char *copy = m->seen_count < SEEN_MAX && !find_seen(m, uid) ? strdup(uid) : NULL;

	if (copy)
		m->seen[m->seen_count++] = (struct seen){ copy, clock_boot() };
}

void metrics_gone(struct metrics *m, const char *uid)
{
	struct seen *s = find_seen(m, uid);

	if (!s)
		return;
	free(s->uid);
	*s = m->seen[--m->seen_count];
}

void metrics_running(struct metrics *m, const char *uid)
{
	struct seen *s = find_seen(m, uid);

	if (!s)
		return;
	double seconds = (double)(clock_boot() - s->at) / (double)NSEC_PER_SEC;
	for (size_t i = 0; i < ARRAY_LEN(start_bounds); i++)
		m->start_buckets[i] += seconds <= start_bounds[i];
	m->start_count++;
	m->start_sum += seconds;
	metrics_gone(m, uid);
}

void metrics_operation(struct metrics *m, bool failed)
{
	m->execs++;
	m->exec_failures += failed;
}

/* ---- writing ---- */

static void head(struct str *out, const char *name, const char *type, const char *help)
{
	str_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void plain(struct str *out, const char *name, const char *type, const char *help, double value)
{
	head(out, name, type, help);
	str_addf(out, "%s %.15g\n", name, value);
}

static void label(struct str *out, const char *name, const char *value, bool last)
{
	str_addf(out, "%s=\"", name);
	for (const char *c = value ? value : ""; *c; c++) {
		if (*c == '\n')
			str_add(out, "\\n");
		else if (*c == '"' || *c == '\\')
			str_addf(out, "\\%c", *c);
		else
			str_add_char(out, *c);
	}
	str_add(out, last ? "\"" : "\",");
}

static void write_starts(const struct metrics *m, struct str *out)
{
	static const char name[] = "kubelet_pod_start_duration_seconds";

	head(out, name, "histogram", "Seconds from a Pod's arrival at this node until it runs.");
	for (size_t i = 0; i < ARRAY_LEN(start_bounds); i++)
		str_addf(out, "%s_bucket{le=\"%g\"} %llu\n", name, start_bounds[i],
			 (unsigned long long)m->start_buckets[i]);
	str_addf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.15g\n%s_count %llu\n", name,
		 (unsigned long long)m->start_count, name, m->start_sum, name,
		 (unsigned long long)m->start_count);
}

static void write_operations(const struct metrics *m, const struct pods_count *c, struct str *out)
{
	const struct {
		const char *type;
		uint64_t done, failed;
	} rows[] = {
		{ "exec", m->execs, m->exec_failures },
		{ "pull_image", c->pulls, c->pull_failures },
		{ "start_container", c->started + c->start_failures, c->start_failures },
		/* Whatever failed on the way to a running container: pulls, creates, starts. */
		{ "sync_pod", c->started + c->failures, c->failures },
	};

	head(out, "kubelet_runtime_operations_total", "counter", "Operations by type.");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		str_addf(out, "kubelet_runtime_operations_total{operation_type=\"%s\"} %llu\n", rows[i].type,
			 (unsigned long long)rows[i].done);
	head(out, "kubelet_runtime_operations_errors_total", "counter",
	     "Operations that failed; sync_pod counts failed pulls, creates and starts.");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		str_addf(out, "kubelet_runtime_operations_errors_total{operation_type=\"%s\"} %llu\n",
			 rows[i].type, (unsigned long long)rows[i].failed);
}

/* ---- containers ---- */

/* "KEY 123" in a file of a cgroup. */
static bool read_key(int dir_fd, const char *file, const char *key, uint64_t *ret)
{
	auto_str struct str text = STR_INIT(64 * 1024);
	auto_err err *e = file_read(dir_fd, file, &text);
	size_t len = strlen(key);

	for (char *line = e ? NULL : text.data; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) == 0 && line[len] == ' ') {
			*ret = strtoull(line + len + 1, NULL, 10);
			return true;
		}
	}
	return false;
}

static bool read_value(int dir_fd, const char *file, uint64_t *ret)
{
	auto_str struct str text = STR_INIT(256);
	auto_err err *e = file_read(dir_fd, file, &text);

	text.data[strcspn(text.data, "\n")] = '\0';
	return !e && str_to_u64(text.data, ret);
}

static uint64_t resident(pid_t pid)
{
	auto_str struct str text = STR_INIT(256);
	unsigned long long pages = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	auto_err err *e = file_read(AT_FDCWD, path, &text);
	if (e || sscanf(text.data, "%*s %llu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t resident_all(int cgroup_fd)
{
	auto_str struct str text = STR_INIT(64 * 1024);
	auto_err err *e = file_read(cgroup_fd, "cgroup.procs", &text);
	uint64_t sum = 0;
	char *save = NULL;
	int count = 0;

	for (char *line = e ? NULL : strtok_r(text.data, "\n", &save); line && count < PROCESSES_MAX;
	     line = strtok_r(NULL, "\n", &save), count++)
		sum += resident((pid_t)strtol(line, NULL, 10));
	return sum;
}

/* Processor time of one process, with its threads, in seconds. */
static double cpu_of(pid_t pid)
{
	auto_str struct str text = STR_INIT(4096);
	unsigned long long user = 0, kernel = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	auto_err err *e = file_read(AT_FDCWD, path, &text);
	const char *rest = e ? NULL : strrchr(text.data, ')'); /* the name may hold anything */
	if (!rest ||
	    sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &kernel) != 2)
		return 0;
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static uint64_t working_set(int cgroup_fd, pid_t pid)
{
	uint64_t current, inactive = 0;

	if (cgroup_fd < 0)
		return resident(pid);
	if (!read_value(cgroup_fd, "memory.current", &current))
		return resident_all(cgroup_fd);
	if (!read_key(cgroup_fd, "memory.stat", "inactive_file", &inactive))
		inactive = 0;
	return current > inactive ? current - inactive : 0;
}

struct usage {
	struct str cpu, memory, seen;
	unsigned running, exited;
};

static void sample(struct str *out, const char *name, const struct pod *pod, const char *container,
		   double value)
{
	str_addf(out, "%s{", name);
	label(out, "namespace", pod->metadata.namespace, false);
	label(out, "pod", pod->metadata.name, false);
	label(out, "container", container, true);
	str_addf(out, "} %.15g\n", value);
}

static bool measure(const struct pod *pod, const struct pod_status *status,
		    const struct pods_container *containers, size_t count, void *user)
{
	struct usage *u = user;

	(void)status;
	for (size_t i = 0; i < count; i++) {
		const struct pods_container *c = &containers[i];
		uint64_t usec;
		if (c->pid <= 0) {
			u->exited++;
			continue;
		}
		u->running++;
		auto_close int fd = c->cgroup ? open(c->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
		double cpu = fd >= 0 && read_key(fd, "cpu.stat", "usage_usec", &usec) ? (double)usec / 1e6
										      : cpu_of(c->pid);
		sample(&u->cpu, "container_cpu_usage_seconds_total", pod, c->name, cpu);
		sample(&u->memory, "container_memory_working_set_bytes", pod, c->name,
		       (double)working_set(fd, c->pid));
		sample(&u->seen, "container_last_seen", pod, c->name,
		       (double)clock_real() / (double)NSEC_PER_SEC);
	}
	return true;
}

static void write_containers(const struct metrics *m, struct str *out)
{
	struct usage u = { .cpu = STR_INIT(PART_MAX),
			   .memory = STR_INIT(PART_MAX),
			   .seen = STR_INIT(PART_MAX) };

	pods_each(m->agent->pods, measure, &u);
	head(out, "kubelet_running_containers", "gauge", "Containers by state.");
	str_addf(out, "kubelet_running_containers{container_state=\"exited\"} %u\n", u.exited);
	str_addf(out, "kubelet_running_containers{container_state=\"running\"} %u\n", u.running);
	head(out, "container_cpu_usage_seconds_total", "counter",
	     "Processor time of a container: of its cgroup, or of its first process where it has none.");
	str_add_bytes(out, u.cpu.data, u.cpu.len);
	head(out, "container_memory_working_set_bytes", "gauge",
	     "Memory of a container that cannot be reclaimed: of its cgroup, or the resident memory of its "
	     "processes where the memory controller is not at hand.");
	str_add_bytes(out, u.memory.data, u.memory.len);
	head(out, "container_last_seen", "gauge",
	     "When the container was last seen running, in seconds since the epoch.");
	str_add_bytes(out, u.seen.data, u.seen.len);
	str_done(&u.cpu);
	str_done(&u.memory);
	str_done(&u.seen);
}

/* ---- this program ---- */

/* A number of /proc/meminfo, in bytes. */
static double memory_line(const char *text, const char *key)
{
	const char *line = strstr(text, key);

	return line ? strtod(line + strlen(key), NULL) * 1024 : 0;
}

/* The whole machine, by the names of the kubelet's /metrics/resource. proc(5): stat, meminfo. */
static void write_machine(struct str *out)
{
	auto_str struct str stat = STR_INIT(1 << 20), memory = STR_INIT(1 << 16);
	unsigned long long user, nice, kernel, idle, waiting, irq, soft;
	auto_err err *e = file_read(AT_FDCWD, "/proc/stat", &stat);
	auto_err err *f = file_read(AT_FDCWD, "/proc/meminfo", &memory);

	if (!e && sscanf(stat.data, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &kernel, &idle, &waiting,
			 &irq, &soft) == 7)
		plain(out, "node_cpu_usage_seconds_total", "counter", "Processor time that the machine was busy.",
		      (double)(user + nice + kernel + irq + soft) / (double)sysconf(_SC_CLK_TCK));
	if (!f)
		plain(out, "node_memory_working_set_bytes", "gauge", "Memory of the machine that is not available.",
		      memory_line(memory.data, "MemTotal:") - memory_line(memory.data, "MemAvailable:"));
}

static unsigned open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	if (!dir)
		return 0;
	for (struct dirent *e; (e = readdir(dir));)
		count += e->d_name[0] != '.';
	closedir(dir);
	return count - 1; /* the directory itself */
}

static void write_process(const struct metrics *m, struct str *out)
{
	plain(out, "process_cpu_seconds_total", "counter", "Processor time of the agent.", cpu_of(getpid()));
	plain(out, "process_resident_memory_bytes", "gauge", "Resident memory of the agent.",
	      (double)resident(getpid()));
	plain(out, "process_open_fds", "gauge", "Open file descriptors of the agent.", open_files());
	plain(out, "process_start_time_seconds", "gauge",
	      "When the agent was started, in seconds since the epoch.",
	      (double)m->agent->started / (double)NSEC_PER_SEC);
}

static void write_agent(const struct metrics *m, const struct pods_count *c, struct str *out)
{
	struct node_agent *a = m->agent;
	double left = (double)(a->contact.lease_end - clock_boot()) / (double)NSEC_PER_SEC;

	head(out, "stube_build_info", "gauge", "Which release this is.");
	str_addf(out, "stube_build_info{version=\"%s\"} 1\n", stube_version);
	plain(out, "stube_agent_adopted_total", "counter",
	      "Containers that ran already when the agent was started.", (double)c->adopted);
	plain(out, "stube_agent_container_restarts_total", "counter", "Containers that were started again.",
	      (double)c->restarted);
	plain(out, "stube_agent_image_pull_bytes_total", "counter", "Bytes of images that were pulled.",
	      (double)c->pull_bytes);
	plain(out, "stube_agent_lease_seconds_left", "gauge",
	      "Until the node counts as lost; negative: since then.", a->contact.lease_end ? left : 0);
	plain(out, "stube_agent_api_reachable", "gauge",
	      "Whether the last renewal of the lease was answered.", link_reachable(a->link));
	plain(out, "stube_agent_outbox_length", "gauge", "Messages that wait to be told to the API.",
	      (double)outbox_length(a->outbox));
	plain(out, "stube_agent_events_dropped_total", "counter", "Events dropped because too many waited.",
	      (double)outbox_dropped(a->outbox));
}

void metrics_write(struct metrics *m, struct str *out)
{
	struct pods_count c;

	pods_counts(m->agent->pods, &c);
	plain(out, "kubelet_running_pods", "gauge", "Pods that run.", c.running);
	write_containers(m, out);
	write_machine(out);
	write_starts(m, out);
	write_operations(m, &c, out);
	write_agent(m, &c, out);
	pki_terms_write(&m->terms, out);
	write_process(m, out);
}
