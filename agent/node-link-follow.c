/* agent/node-link-follow.c: the threads that watch our Pods and claims, and the one that writes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/node-link-internal.h"
#include "base/log.h"
#include "net/http.h"

#define ARENA_CEILING	((size_t)32 << 20)
#define PAUSE		(10 * (int64_t)NSEC_PER_SEC) /* after what no retry of the client heals */
#define WRITE_PAUSE	(NSEC_PER_SEC / 5)
#define WRITE_PAUSE_MAX (10 * (int64_t)NSEC_PER_SEC)
enum { WRITE_TRIES_MAX = 20 };

/* ---- following ---- */

struct follow {
	struct link *link;
	enum link_thread thread;
	const struct kind *kind;
	void (*deliver)(struct note *n);
	unsigned round;
};

static void deliver_pod(struct note *n)
{
	n->link->o.pod(n->type, TAKE(n->arena), (const struct pod *)n->object, n->refused, n->round,
		       n->link->o.user);
}

static void deliver_claim(struct note *n)
{
	n->link->o.claim(n->type, TAKE(n->arena), (const struct claim *)n->object, n->link->o.user);
}

/* The client passes over what it does not know. A Pod that says something we do not understand is not run as
 * if it had not said it. */
static err *look_strictly(struct arena *arena, const struct watch_event *event, const char **ret_refused)
{
	const struct pod *pod = (const struct pod *)event->object;
	struct decoder d = { .arena = arena, .name = "Pod" };
	auto_str struct str text = STR_INIT(4096);
	const json *spec = event->tree ? json_get(event->tree, "spec") : NULL;
	struct pod_spec *unused;

	TRY_ALLOC(arena, unused, arena_alloc(arena, sizeof(*unused)));
	err *e = spec ? decode_tree(&d, kinds[KIND_POD].spec_type, NULL, spec, unused) : NULL;
	if (!e)
		e = pod_check(pod);
	if (!e)
		return NULL;
	err_format(e, &text);
	err_free(e);
	/* "Pod:1:381: restartPolicy: ...": nobody sees the line that it stood in. */
	const char *path = spec ? strstr(text.data, ": ") : NULL;
	TRY_ALLOC(arena, *ret_refused, arena_printf(arena, "%s%s", path ? "spec." : "", path ? path + 2 : text.data));
	return NULL;
}

/* Of one that is gone only who it was. */
static err *copy_gone(struct arena *arena, const struct kind *kind, const struct meta *meta,
		      struct object **ret)
{
	struct meta *m;

	TRY(object_new(arena, kind, ret));
	m = &(*ret)->metadata;
	TRY_ALLOC(arena, m->uid, arena_strdup(arena, meta->uid ? meta->uid : ""));
	TRY_ALLOC(arena, m->name, arena_strdup(arena, meta->name ? meta->name : ""));
	TRY_ALLOC(arena, m->namespace, arena_strdup(arena, meta->namespace ? meta->namespace : ""));
	return NULL;
}

static err *take_event(const struct watch_event *event, void *user)
{
	struct follow *f = user;
	struct object *copy = NULL;

	if (event->type == WATCH_BOOKMARK)
		return NULL;
	struct note *n = note_new(f->link, (int)f->thread, f->deliver);
	err *e = arena_new(ARENA_CEILING, &n->arena);
	if (!e && event->type == WATCH_DELETED)
		e = copy_gone(n->arena, f->kind, &event->object->metadata, &copy);
	else if (!e && event->object)
		e = object_copy(n->arena, event->object, &copy);
	if (!e && event->object && f->thread == LINK_PODS && event->type != WATCH_DELETED)
		e = look_strictly(n->arena, event, &n->refused);
	if (e) {
		note_free(n);
		return e;
	}
	n->type = event->type;
	n->object = copy;
	n->round = f->round;
	note_send(n);
	return NULL;
}

static void take_trouble(const err *e, void *user)
{
	struct follow *f = user;

	if (e)
		log_err(e);
	else
		log_info("following again", "kind", f->kind->plural, NULL);
}

/* False: we are stopping. */
static bool begin_round(struct follow *f)
{
	struct link *l = f->link;

	pthread_mutex_lock(&l->lock);
	while (!l->has_lease && !l->stopping)
		pthread_cond_wait(&l->changed, &l->lock);
	bool go = !l->stopping;
	if (go)
		atomic_store(&l->cancel[f->thread], false);
	if (f->thread == LINK_PODS)
		l->round++;
	f->round = l->round;
	pthread_mutex_unlock(&l->lock);
	return go;
}

static void follow(struct follow *f, const char *fields)
{
	struct link *l = f->link;
	const struct api_query query = { .fields = fields };

	while (begin_round(f)) {
		struct link_client *client = link_client_get(l);
		auto_err err *e = api_follow(client->api, f->kind, NULL, &query, take_event, take_trouble, f,
					     &l->cancel[f->thread]);
		link_client_put(l, client);
		if (e && e->code != ECANCELED) {
			log_err(e);
			link_wait(l, PAUSE, NULL);
		}
	}
}

void *link_pods_thread(void *link)
{
	struct follow f = {
		.link = link, .thread = LINK_PODS, .kind = &kinds[KIND_POD], .deliver = deliver_pod
	};
	char fields[512];

	snprintf(fields, sizeof(fields), "spec.nodeName=%s", f.link->o.name);
	follow(&f, fields);
	return NULL;
}

/* The server shows a node only the claims that its Pods mount. */
void *link_claims_thread(void *link)
{
	struct follow f = {
		.link = link, .thread = LINK_CLAIMS, .kind = &kinds[KIND_CLAIM], .deliver = deliver_claim
	};

	follow(&f, NULL);
	return NULL;
}

/* ---- writing ---- */

static err *write_pod_status(struct link *l, struct api_client *api, struct arena *arena,
			     const struct out_item *i)
{
	(void)l;
	return api_patch(api, arena, &kinds[KIND_POD], i->namespace, i->name, "status", i->body, NULL);
}

static err *write_pod_delete(struct link *l, struct api_client *api, struct arena *arena,
			     const struct out_item *i)
{
	const struct api_delete how = { .grace = 0, .uid = i->uid };

	(void)l;
	(void)arena;
	return api_delete(api, &kinds[KIND_POD], i->namespace, i->name, &how);
}

static err *write_node_status(struct link *l, struct api_client *api, struct arena *arena,
			      const struct out_item *i)
{
	auto_str struct str patch = STR_INIT(JSON_SIZE_MAX);
	struct object *known;

	if (atomic_exchange(&l->tell_node, false))
		node_teller_again(l->teller);
	err *e = node_teller_next(l->teller, l, api, &patch);
	if (!e && patch.len > 0)
		e = api_patch(api, arena, &kinds[KIND_NODE], NULL, i->name, "status", patch.data, NULL);
	else if (!e) /* is it still there? */
		e = api_get(api, arena, &kinds[KIND_NODE], NULL, i->name, &known);
	if (!e)
		return NULL;
	node_teller_again(l->teller);
	if (e->code == ENOENT)
		link_register_again(l);
	return e;
}

static err *write_event(struct link *l, struct api_client *api, struct arena *arena, const struct out_item *i)
{
	struct event event;

	TRY(report_event(arena, l->o.name, i, &event));
	return api_create(api, arena, (struct object *)&event, false, NULL);
}

/* A claim that a Pod here waits for; the watch tells it only when it changes. */
static err *fetch_claim(struct link *l, struct api_client *api, struct arena *arena, const struct out_item *i)
{
	struct object *object;

	(void)arena;
	struct note *n = note_new(l, -1, deliver_claim);
	err *e = arena_new(ARENA_CEILING, &n->arena);
	if (!e)
		e = api_get(api, n->arena, &kinds[KIND_CLAIM], i->namespace, i->name, &object);
	if (e) {
		note_free(n);
		return e;
	}
	n->type = WATCH_MODIFIED;
	n->object = object;
	note_send(n);
	return NULL;
}

static const struct {
	const char *what;
	err *(*write)(struct link *l, struct api_client *api, struct arena *arena, const struct out_item *i);
} writers[] = {
	[OUT_POD_STATUS] = { "status of Pod", write_pod_status },
	[OUT_POD_DELETE] = { "deletion of Pod", write_pod_delete },
	[OUT_NODE_STATUS] = { "status of Node", write_node_status },
	[OUT_EVENT] = { "event about", write_event },
	[OUT_CLAIM] = { "claim", fetch_claim },
};

static err *write_item(struct link *l, const struct out_item *item)
{
	auto_arena struct arena *arena = NULL;

	TRY(arena_new(ARENA_CEILING, &arena));
	struct link_client *client = link_client_get(l);
	err *e = writers[item->kind].write(l, client->api, arena, item);
	link_client_put(l, client);
	return err_wrap(e, "%s '%s/%s'", writers[item->kind].what, item->namespace ? item->namespace : "",
			item->name);
}

enum { NO_MORE, A_FEW_TIMES, FOR_EVER };

/* Whether to try again: what is out of reach, or full, or busy comes back; a refusal stays one. */
static int tries_left(const err *e)
{
	switch (e->code) {
	case ENOENT: /* gone */
	case ESTALE: /* another one of that name */
	case EEXIST:
	case EINVAL:
	case EPERM:
	case EBADMSG:
	case EFBIG:
	case EPROTOTYPE:
	case EOPNOTSUPP:
		return NO_MORE;
	case ECONNREFUSED:
	case EACCES: /* until the certificate is renewed */
	case EBUSY:
	case ENOSPC:
		return FOR_EVER;
	default:
		return http_error_is_transient(e) ? FOR_EVER : A_FEW_TIMES;
	}
}

/* Gone, or replaced by another of its name: nobody is interested any more. */
static bool is_moot(const err *e)
{
	return e->code == ENOENT || e->code == ESTALE || e->code == EEXIST;
}

void *link_writer_thread(void *link)
{
	struct link *l = link;
	struct out_item *item;
	int64_t pause = WRITE_PAUSE;

	while ((item = outbox_take(l->o.outbox))) {
		atomic_store(&l->busy[LINK_WRITER], clock_boot());
		auto_err err *e = write_item(l, item);
		atomic_store(&l->busy[LINK_WRITER], 0);
		int more = e ? tries_left(e) : NO_MORE;
		bool again = more == FOR_EVER || (more == A_FEW_TIMES && ++item->tries < WRITE_TRIES_MAX);
		if (e && !again && !is_moot(e))
			log_err(e);
		if (!again) {
			outbox_item_free(item);
			pause = WRITE_PAUSE;
			continue;
		}
		outbox_return(l->o.outbox, item);
		if (!link_wait(l, pause, NULL))
			break;
		pause = MIN(pause * 2, WRITE_PAUSE_MAX);
	}
	return NULL;
}
