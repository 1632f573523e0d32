/* tests/api/driver.c: the API's client as a command line, for tests against servers that lie.
 *
 * driver CONFIG get KIND NAME [NAMESPACE] | list KIND [NAMESPACE] | create|replace FILE | patch KIND NAME
 * PATCH delete KIND NAME | raw PATH | node PATH watch KIND [SECONDS] | follow KIND [SYNCED|EVENTS [SECONDS]]
 * ends after so many events; cancelled after SECONDS log POD [CONTAINER] | exec [-i] [-t] POD COMMAND...
 * Events are told as "ADDED namespace/name uid revision"; troubles on stderr. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "api/client.h"
#include "api/manifest.h"
#include "base/clock.h"
#include "base/fd.h"

static struct api_client *client;
static struct arena *arena;
static atomic_bool cancel;

static const char *argument(char **argv, int argc, int index)
{
	return index < argc ? argv[index] : NULL;
}

static void print(const char *what, const struct object *o)
{
	const struct meta *m = &o->metadata;

	printf("%s %s/%s %s %s\n", what, m->namespace ? m->namespace : "", m->name, m->uid ? m->uid : "-",
	       m->resource_version ? m->resource_version : "-");
	fflush(stdout);
}

static err *word_kind(const char *word, const struct kind **ret)
{
	*ret = kind_by_word(word);
	return *ret ? NULL : err_new(EINVAL, "no kind '%s'", word);
}

static err *get(char **argv, int argc)
{
	const struct kind *kind;
	struct object *o = NULL;

	TRY(word_kind(argv[0], &kind));
	TRY(api_get(client, arena, kind, argument(argv, argc, 2), argv[1], &o));
	print("got", o);
	return NULL;
}

static err *list(char **argv, int argc)
{
	const struct kind *kind;
	struct object_list l = { 0 };

	TRY(word_kind(argv[0], &kind));
	TRY(api_list(client, arena, kind, argument(argv, argc, 1), NULL, &l));
	for (size_t i = 0; i < l.count && l.count <= 10; i++)
		print("item", l.items[i]);
	printf("%zu at %s\n", l.count, l.resource_version);
	return NULL;
}

static err *write_file(char **argv, bool create)
{
	auto_strv struct strv paths = STRV_INIT(1);
	struct manifest m = { 0 };
	struct object *o = NULL;

	strv_add(&paths, argv[0]);
	TRY(manifest_read(arena, &paths, &m));
	for (size_t i = 0; i < m.count; i++) {
		TRY(create ? api_create(client, arena, m.items[i].object, false, &o)
			   : api_replace(client, arena, m.items[i].object, NULL, false, &o));
		print(create ? "created" : "replaced", o);
	}
	return NULL;
}

static err *create(char **argv, int argc UNUSED)
{
	return write_file(argv, true);
}

static err *replace(char **argv, int argc UNUSED)
{
	return write_file(argv, false);
}

static err *patch(char **argv, int argc UNUSED)
{
	const struct kind *kind;
	struct object *o = NULL;

	TRY(word_kind(argv[0], &kind));
	TRY(api_patch(client, arena, kind, NULL, argv[1], NULL, argv[2], &o));
	print("patched", o);
	return NULL;
}

static err *delete (char **argv, int argc UNUSED)
{
	static const struct api_delete how = { .grace = 5, .uid = "u1" };
	const struct kind *kind;

	TRY(word_kind(argv[0], &kind));
	return api_delete(client, kind, NULL, argv[1], &how);
}

static err *raw(char **argv, int argc UNUSED)
{
	auto_str struct str out = STR_INIT(1 << 20);

	TRY(api_raw(client, "GET", argv[0], NULL, NULL, &out));
	return fd_write_all(STDOUT_FILENO, out.data, out.len);
}

static err *node(char **argv, int argc UNUSED)
{
	auto_str struct str out = STR_INIT(1 << 20);

	TRY(api_node_raw(client, "node1", argv[0], &out));
	return fd_write_all(STDOUT_FILENO, out.data, out.len);
}

/* ---- watches ---- */

static unsigned events_wanted, events_seen;
static bool until_synced;

static err *on_event(const struct watch_event *event, void *user UNUSED)
{
	static const char *const names[] = {
		[WATCH_ADDED] = "ADDED",       [WATCH_MODIFIED] = "MODIFIED", [WATCH_DELETED] = "DELETED",
		[WATCH_BOOKMARK] = "BOOKMARK", [WATCH_SYNCED] = "SYNCED",
	};

	if (event->object) {
		print(names[event->type], event->object);
	} else {
		printf("%s %s\n", names[event->type], event->resource_version);
		fflush(stdout);
	}
	if ((until_synced && event->type == WATCH_SYNCED) || ++events_seen == events_wanted)
		return err_new(EINTR, "enough");
	return NULL;
}

static void on_trouble(const err *e, void *user UNUSED)
{
	auto_str struct str text = STR_INIT(1 << 16);

	if (e)
		err_format(e, &text);
	fprintf(stderr, "trouble: %s\n", e ? text.data : "over");
}

static int64_t cancel_after;

static void *canceller(void *unused UNUSED)
{
	struct timespec t = { .tv_sec = cancel_after };

	nanosleep(&t, NULL);
	atomic_store(&cancel, true);
	return NULL;
}

static err *start_canceller(const char *seconds)
{
	pthread_t thread;

	if (!seconds || !str_to_i64(seconds, &cancel_after))
		return NULL;
	int code = pthread_create(&thread, NULL, canceller, NULL);
	return code ? err_code(code, "thread") : NULL;
}

static err *watch(char **argv, int argc)
{
	static const struct api_query query = { .resource_version = "7", .labels = "app in (a, b)" };
	const struct kind *kind;

	TRY(word_kind(argv[0], &kind));
	TRY(start_canceller(argument(argv, argc, 1)));
	return api_watch(client, kind, NULL, &query, on_event, NULL, &cancel);
}

static err *follow(char **argv, int argc)
{
	const struct kind *kind;
	const char *until = argument(argv, argc, 1);
	int64_t number = 0;

	TRY(word_kind(argv[0], &kind));
	TRY(start_canceller(argument(argv, argc, 2)));
	until_synced = str_equal(until, "SYNCED");
	if (until && str_to_i64(until, &number))
		events_wanted = (unsigned)number;
	err *e = api_follow(client, kind, NULL, NULL, on_event, on_trouble, NULL, &cancel);
	if (e->code != EINTR)
		return e;
	err_free(e);
	return NULL;
}

/* ---- streams ---- */

static err *to_stdout(const void *bytes, size_t len, void *user UNUSED)
{
	return fd_write_all(STDOUT_FILENO, bytes, len);
}

static err *logs(char **argv, int argc)
{
	struct api_log_query query = { .container = argument(argv, argc, 1), .tail = 3, .timestamps = true };

	return api_log(client, NULL, argv[0], &query, to_stdout, NULL, &cancel);
}

static int exit_code;

static err *exec(char **argv, int argc)
{
	struct api_exec exec = { 0 };

	for (; **argv == '-'; argv++, argc--) {
		exec.stdin_open = exec.stdin_open || str_equal(*argv, "-i");
		exec.tty = exec.tty || str_equal(*argv, "-t");
	}
	struct strings command = { (const char **)(void *)argv + 1, (size_t)argc - 1 };
	exec.command = &command;
	return api_exec(client, NULL, argv[0], &exec, &exit_code);
}

static const struct {
	const char *name;
	int least;
	err *(*run)(char **argv, int argc);
} commands[] = {
	{ "get", 2, get },     { "list", 1, list },	{ "create", 1, create }, { "replace", 1, replace },
	{ "patch", 3, patch }, { "delete", 2, delete }, { "raw", 1, raw },	 { "node", 1, node },
	{ "watch", 1, watch }, { "follow", 1, follow }, { "log", 1, logs },	 { "exec", 2, exec },
};

static err *run(int argc, char **argv)
{
	struct api_config config = { 0 };

	TRY(arena_new(1u << 30, &arena));
	TRY(api_config_load(arena, argv[1], getenv("STUBE_RUN"), &config));
	TRY(api_client_new(&config, "stube-test/1", &client));
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (str_equal(argv[2], commands[i].name) && argc - 3 >= commands[i].least)
			return commands[i].run(argv + 3, argc - 3);
	return err_new(EINVAL, "what is '%s'?", argv[2]);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	auto_err err *e = run(argc, argv);
	auto_str struct str text = STR_INIT(1 << 16);

	api_client_free(client);
	arena_free(arena);
	if (!e)
		return exit_code;
	err_format(e, &text);
	fprintf(stderr, "%s: %s\n", strerrorname_np(e->code), text.data);
	if (err_first_hint(e))
		fprintf(stderr, "hint: %s\n", err_first_hint(e));
	return 1;
}
