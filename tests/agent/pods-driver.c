/* tests/agent/pods-driver.c: agent/pods.h as a command line for tests: Pods and commands in, a line of JSON
 *for all that is told.
 *
 *	{...}                         want this Pod
 *	forget UID | synced | contact free|alone|fenced | lease SECONDS | claim NAMESPACE NAME UID | no-claim
 *NAMESPACE UID | address ADDRESS list | counts | log NAMESPACE NAME CONTAINER [previous] | exec NAMESPACE
 *NAME CONTAINER WORD... | quit */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/bundle.h"
#include "agent/monitor.h"
#include "agent/pods.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "monitor/logread.h"
#include "monitor/protocol.h"

enum { CLAIMS_MAX = 16, WORDS_MAX = 16 };

static struct loop *loop;
static struct pods *pods;
static struct str input = STR_INIT(4 << 20);
static struct claim claims[CLAIMS_MAX];
static size_t claim_count;

static void print(struct str *line)
{
	str_add_char(line, '\n');
	if (line->failed || fd_write_all(STDOUT_FILENO, line->data, line->len))
		exit(1);
}

static void begin(struct json_writer *w, const char *kind, const struct pod *pod)
{
	json_begin_object(w);
	json_member_string(w, "kind", kind);
	json_member_string(w, "name", pod->metadata.name);
	json_member_string(w, "uid", pod->metadata.uid);
}

static void told(const struct pod *pod, const struct pod_status *status, void *user UNUSED)
{
	auto_str struct str line = STR_INIT(1 << 20);
	struct json_writer w = JSON_WRITER(&line, 0);

	begin(&w, "status", pod);
	json_key(&w, "status");
	encode(&w, &t_pod_status, status);
	json_end_object(&w);
	print(&line);
}

static void happened(const struct pod *pod, bool warning, const char *reason, const char *message, void *user UNUSED)
{
	auto_str struct str line = STR_INIT(1 << 20);
	struct json_writer w = JSON_WRITER(&line, 0);

	begin(&w, "event", pod);
	json_member_bool(&w, "warning", warning);
	json_member_string(&w, "reason", reason);
	json_member_string(&w, "message", message);
	json_end_object(&w);
	print(&line);
}

static void gone(const struct pod *pod, void *user UNUSED)
{
	auto_str struct str line = STR_INIT(1 << 20);
	struct json_writer w = JSON_WRITER(&line, 0);

	begin(&w, "gone", pod);
	json_end_object(&w);
	print(&line);
}

static const struct claim *find_claim(const char *namespace, const char *name, void *user UNUSED)
{
	for (size_t i = 0; i < claim_count; i++)
		if (str_equal(claims[i].metadata.namespace, namespace) && str_equal(claims[i].metadata.name, name))
			return &claims[i];
	return NULL;
}

static bool list_one(const struct pod *pod, const struct pod_status *status, const struct pods_container *containers,
		     size_t count, void *user UNUSED)
{
	auto_str struct str line = STR_INIT(1 << 20);
	struct json_writer w = JSON_WRITER(&line, 0);

	begin(&w, "pod", pod);
	json_member_int(&w, "phase", status->phase);
	json_key(&w, "containers");
	json_begin_array(&w);
	for (size_t i = 0; i < count; i++) {
		json_begin_object(&w);
		json_member_string(&w, "name", containers[i].name);
		json_member_int(&w, "pid", containers[i].pid);
		json_member_string(&w, "cgroup", containers[i].cgroup ? containers[i].cgroup : "");
		json_member_string(&w, "keep", containers[i].keep_dir);
		json_member_string(&w, "local", containers[i].local_name);
		json_end_object(&w);
	}
	json_end_array(&w);
	json_end_object(&w);
	print(&line);
	return true;
}

static void counts(void)
{
	auto_str struct str line = STR_INIT(4096);
	struct pods_count c;

	pods_counts(pods, &c);
	str_addf(&line,
		 "{\"kind\":\"counts\",\"pods\":%u,\"running\":%u,\"containers\":%u,\"restarts\":%llu,"
		 "\"adopted\":%llu,"
		 "\"started\":%llu,\"pulls\":%llu,\"failures\":%llu}",
		 c.pods, c.running, c.containers, (unsigned long long)c.restarted,
		 (unsigned long long)c.adopted, (unsigned long long)c.started, (unsigned long long)c.pulls,
		 (unsigned long long)c.failures);
	print(&line);
}

static void complain(err *e)
{
	auto_str struct str text = STR_INIT(64 * 1024), line = STR_INIT(128 * 1024);
	struct json_writer w = JSON_WRITER(&line, 0);

	err_format(e, &text);
	err_free(e);
	json_begin_object(&w);
	json_member_string(&w, "kind", "error");
	json_member_string(&w, "message", text.data);
	json_end_object(&w);
	print(&line);
}

static void text_line(const char *kind, const char *text, size_t len)
{
	auto_str struct str line = STR_INIT(128 * 1024), copy = STR_INIT(64 * 1024);
	struct json_writer w = JSON_WRITER(&line, 0);

	str_add_bytes(&copy, text, len);
	json_begin_object(&w);
	json_member_string(&w, "kind", kind);
	json_member_string(&w, "text", copy.data);
	json_end_object(&w);
	print(&line);
}

static err *show_log(char **words, size_t count)
{
	auto_log_reader struct log_reader *reader = NULL;
	auto_close int keep = -1;
	struct log_record record;
	bool running, have = true;

	TRY(pods_log_open(pods, words[1], words[2], words[3], count > 4, &keep, &running));
	TRY(log_reader_open(keep, MONITOR_LOG, (struct monitor_place){ 0 }, &reader));
	while (have) {
		TRY(log_reader_next(reader, &record, &have));
		if (have)
			text_line("log", record.text, record.len);
	}
	return NULL;
}

static err *run_command(char **words, size_t count)
{
	const struct strings args = { (const char **)words + 4, count - 4 };
	const struct bundle_exec exec = { .args = &args, .root_fd = -1 };
	auto_str struct str session = STR_INIT(256);
	auto_close int sock = -1;
	struct monitor_message m;
	size_t len;
	err *e;

	TRY(pods_exec(pods, words[1], words[2], words[3], &exec, false, &sock, &session));
	e = monitor_send(sock, MONITOR_ATTACH, MONITOR_ATTACH_OUTPUT, 0, 0, NULL, 0);
	while (!e && !(e = monitor_recv(sock, MONITOR_SIDE_SERVER, &m, &len)) && m.head.kind != MONITOR_EXITED)
		if (m.head.kind == MONITOR_OUT || m.head.kind == MONITOR_ERR || m.head.kind == MONITOR_ERROR)
			text_line("exec", m.data, len);
	fd_clear(&sock);
	pods_exec_done(pods, session.data);
	return e;
}

static err *want(const char *line)
{
	auto_arena struct arena *arena = NULL;
	const struct pod *pod;

	TRY(arena_new(16 << 20, &arena));
	TRY(pod_decode(arena, "stdin", line, strlen(line), &pod));
	pods_want(pods, pod);
	return NULL;
}

static err *command(char *line)
{
	char *words[WORDS_MAX] = { 0 }, *rest = NULL;
	size_t count = 0;
	uint64_t number;

	if (line[0] == '{')
		return want(line);
	for (char *w = strtok_r(line, " ", &rest); w && count < WORDS_MAX; w = strtok_r(NULL, " ", &rest))
		words[count++] = w;
	if (count == 0)
		return NULL;
	if (str_equal(words[0], "forget") && count == 2) {
		pods_forget(pods, words[1]);
	} else if (str_equal(words[0], "synced")) {
		pods_synced(pods);
	} else if (str_equal(words[0], "contact") && count == 2) {
		pods_contact(pods, str_equal(words[1], "free")	 ? PODS_FREE :
				   str_equal(words[1], "fenced") ? PODS_FENCED :
								   PODS_ALONE);
	} else if (str_equal(words[0], "lease") && count == 2 && str_to_u64(words[1], &number)) {
		pods_lease(pods, clock_boot() + (int64_t)(number * NSEC_PER_SEC));
	} else if (str_equal(words[0], "claim") && count == 4 && claim_count < CLAIMS_MAX) {
		struct meta *m = &claims[claim_count++].metadata;
		m->namespace = strdup(words[1]);
		m->name = strdup(words[2]);
		m->uid = strdup(words[3]);
	} else if (str_equal(words[0], "no-claim") && count == 3) {
		pods_claim_gone(pods, words[1], words[2]);
	} else if (str_equal(words[0], "address") && count == 2) {
		pods_address(pods, words[1]);
	} else if (str_equal(words[0], "list")) {
		pods_each(pods, list_one, NULL);
	} else if (str_equal(words[0], "counts")) {
		counts();
	} else if (str_equal(words[0], "log") && count >= 4) {
		return show_log(words, count);
	} else if (str_equal(words[0], "exec") && count >= 5) {
		return run_command(words, count);
	} else if (str_equal(words[0], "quit")) {
		loop_stop(loop, NULL);
	} else {
		return err_new(EINVAL, "unknown command '%s'", words[0]);
	}
	return NULL;
}

static void readable(uint32_t events UNUSED, void *user UNUSED)
{
	char *room = str_room(&input, 65536), *end;
	ssize_t n = room ? read(STDIN_FILENO, room, 65536) : -1;

	if (n <= 0) {
		loop_stop(loop, NULL);
		return;
	}
	str_grown(&input, (size_t)n);
	while ((end = memchr(input.data, '\n', input.len))) {
		*end = '\0';
		err *e = command(input.data);
		if (e)
			complain(e);
		str_consume(&input, (size_t)(end - input.data) + 1);
	}
}

static int64_t milliseconds(const char *name)
{
	const char *text = getenv(name);
	uint64_t number;

	return text && str_to_u64(text, &number) ? (int64_t)(number * NSEC_PER_MSEC) : 0;
}

static err *run(const char *programs)
{
	struct loop_source *source;
	const char *unverified[] = { getenv("DRIVER_REGISTRY"), NULL };
	const struct pods_options options = {
		.programs = programs, .node = "driver", .address = "192.0.2.7",
		.cgroup_manager = getenv("DRIVER_CGROUPS"),
		.backoff_first = milliseconds("DRIVER_BACKOFF_FIRST"), .backoff_max = milliseconds("DRIVER_BACKOFF_MAX"),
		.unverified = unverified, .status = told, .event = happened, .gone = gone, .claim = find_claim,
	};
	struct pods_options with_loop = options;

	TRY(loop_new(&loop));
	with_loop.loop = loop;
	TRY(pods_open(&with_loop, &pods));
	TRY(loop_io(loop, STDIN_FILENO, EPOLLIN, readable, NULL, &source));
	if (fd_write_all(STDOUT_FILENO, "{\"kind\":\"ready\"}\n", 17))
		return err_errno("standard output");
	TRY(loop_run(loop));
	loop_source_free(source);
	return NULL;
}

int main(int argc, char **argv)
{
	err *e = argc == 2 ? run(argv[1]) : err_new(EINVAL, "pods-driver FOLDER-OF-PROGRAMS");

	pods_close(pods);
	loop_free(loop);
	str_done(&input);
	if (!e)
		return 0;
	complain(e);
	return 1;
}
