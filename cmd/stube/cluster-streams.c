/* cmd/stube/cluster-streams.c: logs of Pods, and commands in them. */
#include "cmd/stube/cluster-streams.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/pod.h"
#include "base/fd.h"

enum { FOLLOW_MAX = 100, LINE_MAX_BYTES = 256 << 10, EXEC_DENIED = 126, EXEC_NOT_FOUND = 127 };

static const enum kind_id allowed[] = { KIND_POD, KIND_DEPLOYMENT, KIND_REPLICASET, KIND_COUNT };

bool cluster_is_meant(const struct cluster_args *args, const char *operand)
{
	return args->namespace || strchr(operand, '/');
}

err *local_or_pod(err *e, const struct cluster_args *args, const char *command, const char *name)
{
	auto_cluster struct cluster c = { 0 };

	if (!e || e->code != ENOENT || err_first_hint(e))
		return e;
	auto_err err *alone = cluster_open(args, &c); /* only its configuration is looked for */
	if (alone)
		return e;
	return err_hint(e, "A Pod of the cluster is named so: stube %s pod/%s", command, name);
}

err *exec_status(err *e, int *ret_status)
{
	auto_str struct str text = STR_INIT(64 << 10);

	if (!e)
		return NULL;
	err_format(e, &text);
	const char *found = strstr(text.data, "find program: exec: ");
	if (found)
		*ret_status = strstr(found, "permission denied") ? EXEC_DENIED : EXEC_NOT_FOUND;
	return e;
}

/* ---- logs ---- */

struct printing {
	const char *prefix;    /* NULL: one Pod only */
	struct str line;       /* what has come of a line that is not whole yet */
	pthread_mutex_t *lock; /* of standard output, when several are followed; NULL */
};

/* A line at once, so that those of several Pods do not mix. */
static err *put_line(struct printing *p)
{
	if (p->line.len == 0)
		return NULL;
	if (p->lock)
		pthread_mutex_lock(p->lock);
	err *e = fd_write_all(STDOUT_FILENO, p->prefix, strlen(p->prefix));
	if (!e)
		e = fd_write_all(STDOUT_FILENO, ": ", 2);
	if (!e)
		e = fd_write_all(STDOUT_FILENO, p->line.data, p->line.len);
	if (p->lock)
		pthread_mutex_unlock(p->lock);
	str_clear(&p->line);
	return e;
}

static err *print(const void *bytes, size_t len, void *user)
{
	struct printing *p = user;
	const char *text = bytes, *end = text + len;

	if (!p->prefix)
		return fd_write_all(STDOUT_FILENO, bytes, len);
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t part = MIN((size_t)((newline ? newline + 1 : end) - text), (size_t)LINE_MAX_BYTES);
		str_add_bytes(&p->line, text, part);
		text += part;
		if (p->line.data[p->line.len - 1] != '\n' && p->line.len < LINE_MAX_BYTES)
			continue;
		if (p->line.data[p->line.len - 1] != '\n')
			str_add_char(&p->line, '\n');
		TRY(put_line(p));
	}
	return NULL;
}

static err *print_end(struct printing *p)
{
	if (p->line.len)
		str_add_char(&p->line, '\n');
	return put_line(p);
}

/* Of several Pods one may go at any moment, or not have begun. */
static err *unless_gone(err *e)
{
	if (!e || (e->code != ENOENT && e->code != EAGAIN))
		return e;
	err_free(e);
	return NULL;
}

struct following {
	struct cluster *c;
	const struct meta *pod;
	const struct api_log_query *query;
	struct printing printing;
	pthread_t thread;
	err *error;
};

static void *follow_one(void *user)
{
	struct following *f = user;

	f->error = unless_gone(
		api_log(f->c->client, f->pod->namespace, f->pod->name, f->query, print, &f->printing, NULL));
	if (!f->error)
		f->error = print_end(&f->printing);
	return NULL;
}

/* Until all have ended. */
static err *follow_all(struct cluster *c, const struct object_list *pods, const struct api_log_query *query)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	struct following *all;
	err *errors = NULL;
	size_t started = 0;
	int code = 0;

	if (pods->count > FOLLOW_MAX)
		return err_hint(err_new(E2BIG, "--follow: %zu Pods, more than %d", pods->count, FOLLOW_MAX),
				"Choose some: stube logs --follow --selector KEY=VALUE");
	TRY_ALLOC(c->arena, all, arena_array(c->arena, pods->count, sizeof(*all)));
	for (; started < pods->count && code == 0; started += code == 0) {
		struct following *f = &all[started];
		*f = (struct following){ .c = c, .pod = &pods->items[started]->metadata, .query = query };
		f->printing = (struct printing){ .prefix = f->pod->name,
						 .line = STR_INIT(2 * LINE_MAX_BYTES),
						 .lock = &lock };
		code = pthread_create(&f->thread, NULL, follow_one, f);
	}
	if (code)
		errors = err_code(code, "follow %zu Pods", pods->count);
	for (size_t i = 0; i < started; i++) {
		pthread_join(all[i].thread, NULL);
		str_done(&all[i].printing.line);
		if (all[i].error)
			errors = err_beside(errors, all[i].error);
	}
	return errors;
}

static err *print_all(struct cluster *c, const struct object_list *pods, const struct api_log_query *query)
{
	for (size_t i = 0; i < pods->count; i++) {
		const struct meta *pod = &pods->items[i]->metadata;
		struct printing p = { .prefix = pod->name, .line = STR_INIT(2 * LINE_MAX_BYTES) };
		err *e = unless_gone(api_log(c->client, pod->namespace, pod->name, query, print, &p, NULL));
		if (!e)
			e = print_end(&p);
		str_done(&p.line);
		TRY(e);
	}
	return NULL;
}

static err *print_pods(struct cluster *c, const struct object_list *pods, const struct api_log_query *query)
{
	const struct meta *one = &pods->items[0]->metadata;
	struct printing p = { 0 };

	if (pods->count == 1)
		return api_log(c->client, one->namespace, one->name, query, print, &p, NULL);
	return query->follow ? follow_all(c, pods, query) : print_all(c, pods, query);
}

static err *no_pods(const struct target *target)
{
	return err_new(ENOENT, "%s '%s' has no Pods", target->kind->name, target->name);
}

err *cluster_logs(const struct cluster_args *args, char *operand, const struct api_log_query *query,
		  int *ret_status)
{
	auto_cluster struct cluster c = { 0 };
	struct object_list pods;
	struct target target;

	TRY_USAGE(ret_status, target_parse(operand, allowed, &target));
	TRY(cluster_open(args, &c));
	TRY(pods_of(&c, &target, &pods));
	return pods.count ? print_pods(&c, &pods, query) : no_pods(&target);
}

err *cluster_logs_selected(const struct cluster_args *args, const char *selector,
			   const struct api_log_query *query)
{
	auto_cluster struct cluster c = { 0 };
	struct api_query chosen = { .labels = selector };
	struct object_list pods;

	TRY(cluster_open(args, &c));
	TRY(api_list(c.client, c.arena, &kinds[KIND_POD], c.namespace, &chosen, &pods));
	if (pods.count == 0)
		return err_new(ENOENT, "no Pod in namespace '%s' has the labels '%s'", c.namespace, selector);
	return print_pods(&c, &pods, query);
}

/* ---- exec ---- */

static const struct object *first_running(const struct object_list *pods)
{
	for (size_t i = 0; i < pods->count; i++)
		if (((const struct pod *)pods->items[i])->status.phase == POD_RUNNING && !pods->items[i]->metadata.deletion.nsec)
			return pods->items[i];
	return NULL;
}

err *cluster_exec(const struct cluster_args *args, char *operand, const struct api_exec *exec, int *ret_status)
{
	auto_cluster struct cluster c = { 0 };
	struct object_list pods;
	struct target target;
	const struct object *pod;

	TRY_USAGE(ret_status, target_parse(operand, allowed, &target));
	TRY(cluster_open(args, &c));
	TRY(pods_of(&c, &target, &pods));
	if (pods.count == 0)
		return no_pods(&target);
	pod = target.kind->id == KIND_POD ? pods.items[0] : first_running(&pods);
	if (!pod)
		return err_new(ESRCH, "no Pod of %s '%s' is running", target.kind->name, target.name);
	return exec_status(api_exec(c.client, pod->metadata.namespace, pod->metadata.name, exec, ret_status),
			   ret_status);
}
