/* agent/pods-query.c: what others ask about a node's Pods: counts, lists, logs, commands in containers. */
#include <string.h>

#include "agent/pods-internal.h"
#include "base/fd.h"

void pods_counts(const struct pods *p, struct pods_count *ret)
{
	*ret = p->totals;
	for (const struct entry *e = p->entries; e; e = e->next) {
		bool runs = false;
		ret->pods++;
		for (size_t i = 0; i < e->count; i++) {
			const struct watched *w = &e->containers[i];
			ret->containers += w->now.state == DECIDE_RUNNING;
			runs |= w->now.state == DECIDE_RUNNING;
		}
		ret->running += runs;
	}
}

void pods_each(struct pods *p, pods_each_fn *fn, void *user)
{
	for (struct entry *e = p->entries; e; e = e->next) {
		struct pods_container list[PODS_CONTAINERS_MAX];
		char names[PODS_CONTAINERS_MAX][64], keeps[PODS_CONTAINERS_MAX][sizeof(p->data) + 128];
		if (!e->object || e->frozen)
			continue;
		for (size_t i = 0; i < e->count; i++) {
			const struct watched *w = &e->containers[i];
			pods_local_name(e->uid, (int)i, w->attempt, names[i]);
			snprintf(keeps[i], sizeof(keeps[i]), "%s/agent/containers/%s", p->data, names[i]);
			list[i] = (struct pods_container){
				.name = e->object->pod->spec.containers.items[i].name,
				.pid = w->now.state == DECIDE_RUNNING ? w->now.pid : 0,
				.cgroup = w->now.state == DECIDE_RUNNING && w->now.cgroup[0] ? w->now.cgroup : NULL,
				.keep_dir = keeps[i],
				.local_name = names[i],
			};
		}
		if (!fn(e->object->pod, &e->status, list, e->count, user))
			return;
	}
}

static err *find(struct pods *p, const char *namespace, const char *name, const char *container,
		 struct watched **ret)
{
	struct entry *e = pods_entry_named(p, namespace, name);

	if (!e)
		return err_new(ENOENT, "Pod '%s/%s' is not on this node", namespace, name);
	const struct pod_spec *spec = &e->object->pod->spec;
	if (!container && e->count == 1)
		container = spec->containers.items[0].name;
	if (!container)
		return err_new(EINVAL, "Pod '%s/%s' has %zu containers: name one", namespace, name, e->count);
	for (size_t i = 0; i < e->count; i++)
		if (str_equal(spec->containers.items[i].name, container)) {
			*ret = &e->containers[i];
			return NULL;
		}
	return err_new(ENOENT, "Pod '%s/%s' has no container '%s'", namespace, name, container);
}

err *pods_log_open(struct pods *p, const char *namespace, const char *name, const char *container, bool previous,
		   int *ret_keep_fd, bool *ret_running)
{
	struct watched *w;
	char local[64];

	TRY(find(p, namespace, name, container, &w));
	container = w->entry->object->pod->spec.containers.items[w->index].name;
	/* An attempt that is not made yet has no log: the one before is the present one. */
	uint32_t attempt = w->attempt - (w->attempt > 0 && w->now.state == DECIDE_NONE);
	if (previous && attempt < 2)
		return err_new(ENOENT, "container '%s' of Pod '%s/%s' has not run before", container, namespace, name);
	if (attempt == 0)
		return err_new(ENOENT, "container '%s' of Pod '%s/%s' has not been started yet", container, namespace, name);
	err *e = local_keep_open(p->local, pods_local_name(w->entry->uid, w->index, attempt - previous, local), ret_keep_fd);
	if (e)
		return err_wrap(e, "log of container '%s' of Pod '%s/%s'", container, namespace, name);
	*ret_running = !previous && w->now.state == DECIDE_RUNNING;
	return NULL;
}

/* A session's name is that of its container and its own: "UID-0-1/exec/...". */
err *pods_exec(struct pods *p, const char *namespace, const char *name, const char *container,
	       const struct bundle_exec *exec, bool interactive, int *ret_sock, struct str *ret_session)
{
	const struct local_exec how = { .process = *exec, .interactive = interactive };
	char local[64], session[LOCAL_SESSION_MAX];
	struct watched *w;

	TRY(find(p, namespace, name, container, &w));
	container = w->entry->object->pod->spec.containers.items[w->index].name;
	if (w->now.state != DECIDE_RUNNING)
		return err_new(ESRCH, "container '%s' of Pod '%s/%s' does not run", container, namespace, name);
	pods_local_name(w->entry->uid, w->index, w->attempt, local);
	TRY(err_wrap(local_exec_open(p->local, local, &how, ret_sock, session), "Pod '%s/%s'", namespace, name));
	str_addf(ret_session, "%s/%s", local, session);
	err *e = str_check(ret_session);
	if (e) {
		fd_clear(ret_sock);
		local_exec_done(p->local, local, session);
	}
	return e;
}

void pods_exec_done(struct pods *p, const char *session)
{
	char local[64];
	size_t len = strcspn(session, "/");

	if (session[len] != '/' || len >= sizeof(local))
		return;
	memcpy(local, session, len);
	local[len] = '\0';
	local_exec_done(p->local, local, session + len + 1);
}
