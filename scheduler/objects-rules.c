/* scheduler/objects-rules.c: by kind: what the server fills in, what may change, what goes at once. */
#include "scheduler/objects-internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "api/claim.h"
#include "api/deployment.h"
#include "api/event.h"
#include "api/lease.h"
#include "api/namespace.h"
#include "base/clock.h"

/* ---- what the server fills in ---- */

/* Letters and digits that spell no word: as Kubernetes' generated names. */
static void random_suffix(char out[static 6])
{
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	unsigned char bytes[5];

	while (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		;
	for (int i = 0; i < 5; i++)
		out[i] = letters[bytes[i] % (sizeof(letters) - 1)];
	out[5] = '\0';
}

static err *new_uid(struct arena *arena, const char **ret)
{
	unsigned char b[16];

	while (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		;
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	TRY_ALLOC(arena, *ret,
		  arena_printf(arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
			       b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
			       b[12], b[13], b[14], b[15]));
	return NULL;
}

static err *choose_name(struct job *j, struct object *object)
{
	struct meta *m = &object->metadata;
	char suffix[6];

	if (m->name)
		return NULL;
	if (!m->generate_name || !m->generate_name[0])
		return err_new(EINVAL, "metadata.name: required but missing");
	random_suffix(suffix);
	/* So that a Pod's name stays one label, whatever its owner is called. */
	TRY_ALLOC(j->arena, m->name, arena_printf(j->arena, "%.58s%s", m->generate_name, suffix));
	j->name = m->name;
	return NULL;
}

static bool is_always_there(const char *namespace)
{
	return str_equal(namespace, "default") || str_equal(namespace, LEASE_NAMESPACE);
}

/* The Namespace stays as it is until the object is in. */
static err *check_namespace(struct job *j, const char *name)
{
	const struct entry *e = cache_get(j->o->cache, KIND_NAMESPACE, NULL, name);
	auto_str struct str key = STR_INIT(STORE_KEY_MAX);
	struct store_op op = { .kind = STORE_CHECK };

	/* Never removed, and at a first start perhaps just being made. */
	if (is_always_there(name))
		return NULL;
	if (!e)
		return err_new(ENOENT, "namespaces '%s' not found", name);
	if (e->object->metadata.deletion.nsec)
		return err_new(EPERM, "namespace '%s' is being removed: nothing can be made in it", name);
	op.expected = e->revision;
	cache_key(&key, e->kind, NULL, name);
	TRY_ALLOC(j->arena, op.key, arena_strdup(j->arena, key.data));
	return job_op(j, &op);
}

static void *member(const struct object *object, size_t offset)
{
	return (char *)(uintptr_t)object + offset;
}

static err *empty_status(struct job *j, struct object *object)
{
	if (!j->kind->status_offset)
		return NULL;
	memset(member(object, j->kind->status_offset), 0, j->kind->status_type->size);
	return decode_defaults(j->arena, j->kind->status_type, member(object, j->kind->status_offset));
}

/* ---- kinds ---- */

static err *create_namespace(struct job *j, struct object *object)
{
	(void)j;
	((struct namespace *)(void *)object)->status.phase = NAMESPACE_ACTIVE;
	return NULL;
}

static err *create_pod(struct job *j, struct object *object)
{
	struct pod *pod = (struct pod *)(void *)object;

	(void)j;
	if (pod->spec.node_name && pod->spec.node_name[0])
		return err_new(EINVAL, "spec.nodeName: is written by the scheduler only; use a nodeSelector "
				       "on " LABEL_HOSTNAME);
	pod->status.phase = POD_PENDING;
	pod->status.qos_class = pod_qos_class(&pod->spec);
	return NULL;
}

static err *create_claim(struct job *j, struct object *object)
{
	struct claim *claim = (struct claim *)(void *)object;

	(void)j;
	if (claim->spec.volume_name && claim->spec.volume_name[0])
		return err_new(EINVAL, "spec.volumeName: is written by the scheduler only");
	claim->status.phase = CLAIM_PENDING;
	return NULL;
}

/* Events go when they are old: one from the future would stay for ever. A client's clock may be a little
 * ahead. */
static err *clamp_event(struct job *j, struct object *object)
{
	struct event *event = (struct event *)(void *)object;
	int64_t latest = clock_real() + 60 * (int64_t)NSEC_PER_SEC;

	(void)j;
	event->first.nsec = MIN(event->first.nsec, latest);
	event->last.nsec = MIN(event->last.nsec, latest);
	event->event_time.nsec = MIN(event->event_time.nsec, latest);
	return NULL;
}

static err *update_event(struct job *j, const struct object *now, struct object *object)
{
	(void)now;
	return clamp_event(j, object);
}

static err *check_selector(const struct label_selector *selector, const struct pod_template *template)
{
	if (label_selector_is_empty(selector))
		return err_new(EINVAL, "spec.selector: must not be empty");
	if (!label_selector_matches(selector, &template->metadata.labels))
		return err_new(EINVAL, "spec.template.metadata.labels: spec.selector does not match them");
	return NULL;
}

static err *create_deployment(struct job *j, struct object *object)
{
	const struct deployment *d = (const struct deployment *)(void *)object;

	(void)j;
	return check_selector(&d->spec.selector, &d->spec.template);
}

static err *create_replicaset(struct job *j, struct object *object)
{
	const struct replicaset *r = (const struct replicaset *)(void *)object;

	(void)j;
	return check_selector(&r->spec.selector, &r->spec.template);
}

static bool same_selector(const struct label_selector *a, const struct label_selector *b)
{
	char ha[17], hb[17];

	object_hash(&t_label_selector, a, ha);
	object_hash(&t_label_selector, b, hb);
	return str_equal(ha, hb);
}

static err *update_deployment(struct job *j, const struct object *now, struct object *object)
{
	const struct deployment *was = (const struct deployment *)(const void *)now;
	const struct deployment *d = (const struct deployment *)(void *)object;

	(void)j;
	if (!same_selector(&was->spec.selector, &d->spec.selector))
		return err_new(EINVAL, "spec.selector: may not be changed");
	return check_selector(&d->spec.selector, &d->spec.template);
}

static err *update_replicaset(struct job *j, const struct object *now, struct object *object)
{
	const struct replicaset *was = (const struct replicaset *)(const void *)now;
	const struct replicaset *r = (const struct replicaset *)(void *)object;

	(void)j;
	if (!same_selector(&was->spec.selector, &r->spec.selector))
		return err_new(EINVAL, "spec.selector: may not be changed");
	return check_selector(&r->spec.selector, &r->spec.template);
}

/* Only containers' images and tolerations. */
static err *update_pod(struct job *j, const struct object *now, struct object *object)
{
	const struct pod *was = (const struct pod *)(const void *)now;
	struct pod *pod = (struct pod *)(void *)object;
	struct pod_container *containers;
	struct object *same;

	if (!str_equal(was->spec.node_name ? was->spec.node_name : "",
		       pod->spec.node_name ? pod->spec.node_name : ""))
		return err_new(EINVAL, "spec.nodeName: is written by the scheduler only");
	TRY(object_shallow(j->arena, j->kind, object, &same));
	struct pod *p = (struct pod *)(void *)same;
	p->spec.tolerations.items = was->spec.tolerations.items;
	p->spec.tolerations.count = was->spec.tolerations.count;
	TRY_ALLOC(j->arena, containers,
		  arena_array(j->arena, pod->spec.containers.count, sizeof(*containers)));
	for (size_t i = 0; i < pod->spec.containers.count; i++) {
		containers[i] = pod->spec.containers.items[i];
		if (i < was->spec.containers.count)
			containers[i].image = was->spec.containers.items[i].image;
	}
	p->spec.containers.items = containers;
	if (!object_same_spec(same, now))
		return err_new(EINVAL,
			       "spec: only containers' images and tolerations of a Pod may be changed");
	return NULL;
}

static err *update_claim(struct job *j, const struct object *now, struct object *object)
{
	const char *was = string_map_get(&now->metadata.annotations, CLAIM_NODE);

	(void)j;
	if (!object_same_spec(now, object))
		return err_new(EINVAL, "spec: may not be changed");
	if (was && !str_equal(was, string_map_get(&object->metadata.annotations, CLAIM_NODE)))
		return err_new(EINVAL,
			       "metadata.annotations." CLAIM_NODE
			       ": may not be changed: the data lies on node '%s'",
			       was);
	return NULL;
}

static err *update_lease(struct job *j, const struct object *now, struct object *object)
{
	(void)now;
	return lease_prepare(j, object);
}

/* An agent that writes its Pod's conditions whole knows nothing of how it was placed. */
static err *status_pod(struct job *j, const struct object *now, struct object *object)
{
	const struct pod *was = (const struct pod *)(const void *)now;
	struct pod *pod = (struct pod *)(void *)object;
	const struct condition *placed = condition_find(&was->status.conditions, "PodScheduled");

	if (!pod->status.qos_class)
		pod->status.qos_class = was->status.qos_class;
	if (placed && !condition_find(&pod->status.conditions, "PodScheduled"))
		return condition_set(j->arena, &pod->status.conditions, placed);
	return NULL;
}

struct strategy {
	bool generation; /* counts changes of the spec */
	err *(*create)(struct job *j, struct object *object);
	err *(*update)(struct job *j, const struct object *now, struct object *object);
	err *(*status)(struct job *j, const struct object *now, struct object *object);
};
/* clang-format off */
static const struct strategy strategies[KIND_COUNT] = {
	/*                   counts  create             update             status */
	[KIND_NAMESPACE]  = { false, create_namespace,  NULL,              NULL },
	[KIND_NODE]       = { false, NULL,              NULL,              NULL },
	[KIND_POD]        = { true,  create_pod,        update_pod,        status_pod },
	[KIND_CLAIM]      = { false, create_claim,      update_claim,      NULL },
	[KIND_EVENT]      = { false, clamp_event,       update_event,      NULL },
	[KIND_DEPLOYMENT] = { true,  create_deployment, update_deployment, NULL },
	[KIND_REPLICASET] = { true,  create_replicaset, update_replicaset, NULL },
	[KIND_LEASE]      = { false, lease_prepare,     update_lease,      NULL },
};
/* clang-format on */

err *rules_create(struct job *j, struct object *object)
{
	const struct strategy *s = &strategies[j->kind->id];
	struct meta *m = &object->metadata;

	if (m->resource_version && m->resource_version[0])
		return err_new(EBADMSG, "metadata.resourceVersion: must not be set on objects to be created");
	if (!j->kind->namespaced && m->namespace)
		return err_new(EINVAL, "metadata.namespace: %s are in no namespace", j->kind->plural);
	m->namespace = j->namespace;
	TRY(choose_name(j, object));
	TRY(new_uid(j->arena, &m->uid));
	m->creation.nsec = clock_real() / (int64_t)NSEC_PER_SEC * (int64_t)NSEC_PER_SEC;
	m->deletion.nsec = 0;
	m->deletion_grace = NULL;
	m->resource_version = NULL;
	m->generation = s->generation ? 1 : 0;
	TRY(empty_status(j, object));
	if (j->kind->namespaced)
		TRY(check_namespace(j, m->namespace));
	return s->create ? s->create(j, object) : NULL;
}

/* Who and when it is, is the server's. */
static void keep_identity(const struct object *now, struct object *object)
{
	const struct meta *was = &now->metadata;
	struct meta *m = &object->metadata;

	m->name = was->name;
	m->generate_name = was->generate_name;
	m->namespace = was->namespace;
	m->uid = was->uid;
	m->resource_version = was->resource_version;
	m->generation = was->generation;
	m->creation = was->creation;
	m->deletion = was->deletion;
	m->deletion_grace = was->deletion_grace;
}

err *rules_update(struct job *j, const struct object *now, struct object *object)
{
	const struct strategy *s = &strategies[j->kind->id];
	size_t status = j->kind->status_offset;

	if (j->write.subresource) {
		struct object *wanted;

		TRY(object_shallow(j->arena, j->kind, object, &wanted));
		memcpy(object, now, j->kind->type->size);
		memcpy(member(object, status), member(wanted, status), j->kind->status_type->size);
		return s->status ? s->status(j, now, object) : NULL;
	}
	keep_identity(now, object);
	if (status)
		memcpy(member(object, status), member(now, status), j->kind->status_type->size);
	if (s->update)
		TRY(s->update(j, now, object));
	if (s->generation && !object_same_spec(now, object))
		object->metadata.generation++;
	return NULL;
}

/* ---- deletion ---- */

static err *mark(struct job *j, const struct entry *now, int64_t grace, const struct object **ret)
{
	struct object *object;
	int64_t *seconds;

	TRY(object_shallow(j->arena, j->kind, now->object, &object));
	TRY_ALLOC(j->arena, seconds, arena_alloc(j->arena, sizeof(*seconds)));
	*seconds = grace;
	object->metadata.deletion.nsec =
		(clock_real() / (int64_t)NSEC_PER_SEC + grace) * (int64_t)NSEC_PER_SEC;
	object->metadata.deletion_grace = seconds;
	if (j->kind->id == KIND_NAMESPACE)
		((struct namespace *)(void *)object)->status.phase = NAMESPACE_TERMINATING;
	*ret = object;
	return NULL;
}

static err *delete_namespace(struct job *j, const struct entry *now, const struct object **ret)
{
	if (is_always_there(j->name))
		return err_new(EPERM, "namespace '%s' is always there", j->name);
	if (!now->object->metadata.deletion.nsec)
		return mark(j, now, 0, ret);
	/* What was made before the mark is in the cache by now; nothing was made since. */
	if (!cache_has_any(j->o->cache, j->name))
		*ret = NULL;
	return NULL;
}

static err *delete_pod(struct job *j, const struct entry *now, const struct object **ret)
{
	const struct pod *pod = (const struct pod *)(const void *)now->object;
	int64_t grace = j->how.grace ? *j->how.grace : pod->spec.grace_seconds;
	bool bound = pod->spec.node_name && pod->spec.node_name[0];

	if (grace < 0)
		return err_new(EINVAL, "gracePeriodSeconds: must not be negative");
	if (!bound || grace == 0 || (pod_is_over(pod) && !pod->metadata.deletion.nsec)) {
		*ret = NULL;
		return NULL;
	}
	/* On its way out already: only ever sooner. */
	if (pod->metadata.deletion.nsec &&
	    (!j->how.grace || !pod->metadata.deletion_grace || grace >= *pod->metadata.deletion_grace))
		return NULL;
	return mark(j, now, grace, ret);
}

static bool is_at_work(const struct entry *pod, void *user)
{
	*(bool *)user = !pod_is_over((const struct pod *)(const void *)pod->object);
	return !*(bool *)user;
}

static err *delete_claim(struct job *j, const struct entry *now, const struct object **ret)
{
	bool used = false;

	cache_each_mounting(j->o->cache, j->namespace, j->name, is_at_work, &used);
	if (!used)
		*ret = NULL;
	else if (!now->object->metadata.deletion.nsec)
		return mark(j, now, 0, ret);
	return NULL;
}

struct orphans {
	struct job *job;
	const char *owner;
	err *error;
};

static bool leave_owner(const struct entry *e, void *user)
{
	struct orphans *o = user;
	struct object *object;
	struct meta *m;

	o->error = object_shallow(o->job->arena, e->kind, e->object, &object);
	if (o->error)
		return false;
	m = &object->metadata;
	m->owners.items = arena_array(o->job->arena, m->owners.count, sizeof(*m->owners.items));
	m->owners.count = 0;
	if (!m->owners.items) {
		o->error = arena_error(o->job->arena);
		return false;
	}
	for (size_t i = 0; i < e->object->metadata.owners.count; i++)
		if (!str_equal(e->object->metadata.owners.items[i].uid, o->owner))
			m->owners.items[m->owners.count++] = e->object->metadata.owners.items[i];
	o->error = job_put_other(o->job, e, object);
	return !o->error;
}

err *rules_delete(struct job *j, const struct entry *now, const struct object **ret)
{
	if (j->how.orphan) {
		struct orphans orphans = { .job = j, .owner = now->object->metadata.uid };

		cache_each_owned(j->o->cache, orphans.owner, leave_owner, &orphans);
		TRY(err_wrap(orphans.error, "leave what %s '%s' owns", j->kind->plural, j->name));
	}
	switch (j->kind->id) {
	case KIND_NAMESPACE:
		return delete_namespace(j, now, ret);
	case KIND_POD:
		return delete_pod(j, now, ret);
	case KIND_CLAIM:
		return delete_claim(j, now, ret);
	default:
		*ret = NULL;
		return NULL;
	}
}
