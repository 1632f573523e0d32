/* agent/pods-entry.c: what is kept in memory of each Pod. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pods-internal.h"

/* ---- objects ---- */

err *pod_object_new(const struct pod *pod, struct pod_object **ret)
{
	struct pod_object *o = calloc(1, sizeof(*o));
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);

	if (!o)
		return err_oom();
	o->refs = 1;
	err *e = arena_new(32 << 20, &o->arena);
	pod_encode(&text, pod, 0);
	if (!e)
		e = str_check(&text);
	if (!e)
		e = pod_decode(o->arena, "Pod", text.data, text.len, &o->pod);
	if (e) {
		pod_object_unref(o);
		return e;
	}
	*ret = o;
	return NULL;
}

struct pod_object *pod_object_ref(struct pod_object *o)
{
	if (o)
		o->refs++;
	return o;
}

void pod_object_unref(struct pod_object *o)
{
	if (!o || --o->refs > 0)
		return;
	arena_free(o->arena);
	free(o);
}

/* ---- entries ---- */

struct entry *pods_entry_find(struct pods *p, const char *uid)
{
	for (struct entry *e = p->entries; e; e = e->next)
		if (str_equal(e->uid, uid))
			return e;
	return NULL;
}

struct entry *pods_entry_named(struct pods *p, const char *namespace, const char *name)
{
	struct entry *found = NULL;

	for (struct entry *e = p->entries; e; e = e->next)
		if (e->object && str_equal(e->object->pod->metadata.name, name) &&
		    str_equal(e->object->pod->metadata.namespace, namespace) && (!found || found->deleted))
			found = e;
	return found;
}

static void end_done(struct decide_end *end)
{
	free((char *)end->reason);
	free((char *)end->id);
	*end = (struct decide_end){ 0 };
}

static void watched_done(struct watched *w)
{
	pods_fetch_drop(w);
	pods_watched_unwatch(w);
	pods_observed_done(&w->now);
	end_done(&w->last);
	free(w->problem);
	free(w->problem_text);
	free(w->image);
	free(w->image_id);
}

void pods_entry_free(struct entry *e)
{
	if (!e)
		return;
	watched_done(&e->sandbox);
	for (size_t i = 0; i < e->count; i++)
		watched_done(&e->containers[i]);
	for (size_t i = 0; i < e->claim_count; i++) {
		free((char *)e->claims[i].claim);
		free((char *)e->claims[i].uid);
	}
	free(e->claims);
	free(e->containers);
	free(e->frozen_text);
	str_done(&e->told);
	arena_free(e->status_arena);
	pod_object_unref(e->object);
	free(e);
}

err *pods_entry_new(struct pods *p, const char *uid, struct pod_object *object, struct entry **ret)
{
	size_t count = object ? object->pod->spec.containers.count : 0;
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		return err_oom();
	str_init(&e->told, JSON_SIZE_MAX);
	e->p = p;
	snprintf(e->uid, sizeof(e->uid), "%s", uid);
	e->containers = calloc(count + 1, sizeof(*e->containers));
	if (!e->containers) {
		pods_entry_free(e);
		return err_oom();
	}
	e->count = count;
	e->object = pod_object_ref(object);
	e->sandbox = (struct watched){ .entry = e, .index = PODS_SANDBOX, .now = OBSERVED_NONE };
	for (size_t i = 0; i < count; i++)
		e->containers[i] = (struct watched){ .entry = e, .index = (int)i, .now = OBSERVED_NONE };
	struct entry **link = &p->entries;
	while (*link)
		link = &(*link)->next;
	*link = e;
	*ret = e;
	return NULL;
}

void pods_entry_encode(const struct entry *e, struct str *out)
{
	struct pods_record_container containers[PODS_CONTAINERS_MAX] = { 0 };
	struct pods_record r = {
		.version = PODS_RECORD_VERSION,
		.pod = *e->object->pod,
		.taken = e->taken,
		.boot_id = e->boot_id[0] ? e->boot_id : NULL,
		.sandbox = e->sandbox.attempt,
		.ids = e->ids,
		.slice = e->slice[0] ? e->slice : NULL,
		.containers = { containers, e->count },
		.claims = { e->claims, e->claim_count },
	};

	r.ending = e->deleted;
	r.pod.status = (struct pod_status){ 0 };
	for (size_t i = 0; i < e->count; i++)
		containers[i] = (struct pods_record_container){
			e->containers[i].attempt, e->containers[i].crashes, e->containers[i].interrupted,
			e->containers[i].image, e->containers[i].image_id,
		};
	pods_record_encode(out, &r);
}

/* A name that makes no slice is no reason to refuse a service: it has no limits of its Pod, only its
 * containers'. */
void pods_entry_place(struct entry *e)
{
	if (e->slice[0] || e->p->cgroup_fd < 0)
		return;
	err *failed = slices_path(e->object->pod->metadata.namespace, e->uid, e->slice);
	if (failed)
		e->slice[0] = '\0';
	err_free(failed);
}

bool pods_entry_rebooted(const struct entry *e)
{
	return e->sandbox.attempt > 0 && !str_equal(e->boot_id, e->p->boot_id);
}
