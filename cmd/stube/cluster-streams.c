/* cmd/stube/cluster-streams.c: logs of Pods, and commands in them. */
#include "cmd/stube/cluster-streams.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/pod.h"
#include "base/fd.h"

static const enum kind_id allowed[] = { KIND_POD, KIND_DEPLOYMENT, KIND_REPLICASET, KIND_COUNT };

bool cluster_is_meant(const struct cluster_args *args, const char *operand)
{
	return args->namespace || strchr(operand, '/');
}

/* ---- logs ---- */

struct printing {
	const char *prefix; /* NULL: one Pod only */
	bool inside;        /* a line */
};

static err *print(const void *bytes, size_t len, void *user)
{
	struct printing *p = user;
	const char *text = bytes, *end = text + len;

	if (!p->prefix)
		return fd_write_all(STDOUT_FILENO, bytes, len);
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t part = (size_t)((newline ? newline + 1 : end) - text);
		if (!p->inside) {
			TRY(fd_write_all(STDOUT_FILENO, p->prefix, strlen(p->prefix)));
			TRY(fd_write_all(STDOUT_FILENO, ": ", 2));
		}
		TRY(fd_write_all(STDOUT_FILENO, text, part));
		p->inside = !newline;
		text += part;
	}
	return NULL;
}

static err *no_pods(const struct target *target)
{
	return err_new(ENOENT, "%s '%s' has no Pods", target->kind->name, target->name);
}

err *cluster_logs(const struct cluster_args *args, char *operand, const struct api_log_query *query)
{
	auto_cluster struct cluster c = { 0 };
	struct object_list pods;
	struct target target;

	TRY(target_parse(operand, allowed, &target));
	TRY(cluster_open(args, &c));
	TRY(pods_of(&c, &target, &pods));
	if (pods.count == 0)
		return no_pods(&target);
	if (query->follow && pods.count > 1)
		return err_hint(err_new(EINVAL, "--follow: %s '%s' has %zu Pods", target.kind->name, target.name, pods.count),
				"Follow one of them: stube logs --follow pod/%s", pods.items[0]->metadata.name);
	for (size_t i = 0; i < pods.count; i++) {
		const struct meta *pod = &pods.items[i]->metadata;
		struct printing p = { .prefix = pods.count > 1 ? pod->name : NULL };
		TRY(api_log(c.client, pod->namespace, pod->name, query, print, &p, NULL));
		if (p.inside)
			TRY(fd_write_all(STDOUT_FILENO, "\n", 1));
	}
	return NULL;
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

	TRY(target_parse(operand, allowed, &target));
	TRY(cluster_open(args, &c));
	TRY(pods_of(&c, &target, &pods));
	if (pods.count == 0)
		return no_pods(&target);
	pod = target.kind->id == KIND_POD ? pods.items[0] : first_running(&pods);
	if (!pod)
		return err_new(ESRCH, "no Pod of %s '%s' is running", target.kind->name, target.name);
	return api_exec(c.client, pod->metadata.namespace, pod->metadata.name, exec, ret_status);
}
