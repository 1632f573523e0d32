/* agent/node.c: this node in the cluster: its Pods' agent, its link to the API and its servers, brought
 * together. */
#include "agent/node-internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/node-pods.h"
#include "base/clock.h"
#include "base/log.h"

#define TELL_EVERY (10 * (int64_t)NSEC_PER_SEC)

struct node_run {
	struct node_agent agent;
	struct loop_source *contact_timer, *tell_timer;
	unsigned wanted_round;
	char name[256], address[INET6_ADDRSTRLEN];
};

/* ---- contact ---- */

static const char *const contact_texts[] = {
	[PODS_FREE] = "in contact",
	[PODS_ALONE] = "without contact: what runs goes on",
	[PODS_FENCED] = "the lease has run out: services that may be replaced elsewhere are stopped",
};

static void apply_contact(struct node_run *r)
{
	struct node_agent *a = &r->agent;
	int64_t next;
	enum pods_contact now = contact_decide(&a->contact, clock_boot(), &next);

	if (!a->contact.stale && a->contact.lease_end != 0)
		pods_lease(a->pods, a->contact.lease_end);
	IGNORE(loop_timer_set(r->contact_timer, next));
	if (now == a->now)
		return;
	a->now = now;
	(now == PODS_FENCED ? log_warning : log_info)(contact_texts[now], "node", a->name, NULL);
	loop_status(a->loop, contact_texts[now]);
	pods_contact(a->pods, now);
}

static void contact_due(void *user)
{
	apply_contact(user);
}

static void tell_node(struct node_agent *a)
{
	outbox_put(a->outbox, (struct out_item){ .kind = OUT_NODE_STATUS, .name = strdup(a->name) });
}

static void tell_due(void *user)
{
	struct node_run *r = user;

	tell_node(&r->agent);
	node_pods_retry(r->agent.node_pods);
	IGNORE(loop_timer_set(r->tell_timer, clock_boot() + TELL_EVERY));
}

static void node_event(struct node_agent *a, bool warning, const char *reason, const char *message)
{
	int64_t now = clock_real();

	const struct out_item item = {
		.kind = OUT_EVENT,
		.about = "Node",
		.name = strdup(a->name),
		.uid = strdup(a->name),
		.reason = strdup(reason),
		.body = strdup(message),
		.warning = warning,
		.first = now,
		.last = now,
		.count = 1,
	};
	outbox_put(a->outbox, item);
}

/* ---- what the link tells ---- */

static void on_registered(const err *e, const struct node *node, void *user)
{
	struct node_run *r = user;
	struct node_agent *a = &r->agent;
	auto_arena struct arena *arena = NULL;
	struct node now;

	if (e)
		log_err(e);
	if (!a->told_ready)
		loop_ready(a->loop); /* without the API, too: what runs is ours to care for */
	a->told_ready = true;
	if (e)
		return;
	const char *boot = node->status.info.boot_id;
	err *failed = arena_new(16 << 20, &arena);
	if (!failed)
		failed = node_observe(arena, a->options, &now);
	if (!failed && !a->registered) {
		node_event(a, false, "Starting", "the agent has started");
		if (boot && *boot && !str_equal(boot, now.status.info.boot_id))
			node_event(a, true, "Rebooted", "the machine has been started anew");
	}
	err_free(failed);
	a->registered = true;
	tell_node(a);
}

static void on_lease(const err *e, int64_t sent, int64_t duration, bool created, void *user)
{
	struct node_run *r = user;
	struct contact *c = &r->agent.contact;

	if (e)
		contact_failed(c);
	else if (contact_renewed(c, clock_boot(), sent, duration, created))
		r->wanted_round = link_relist(r->agent.link);
	apply_contact(r);
}

static void on_pod(enum watch_type type, struct arena *arena, const struct pod *pod, const char *refused,
		   unsigned round, void *user)
{
	struct node_run *r = user;
	struct node_agent *a = &r->agent;

	node_pods_event(a->node_pods, type, arena, pod, refused, round);
	if (type != WATCH_SYNCED || round < r->wanted_round)
		return;
	contact_synced(&a->contact);
	a->synced = true;
	apply_contact(r);
}

static void on_claim(enum watch_type type, struct arena *arena, const struct claim *claim, void *user)
{
	struct node_run *r = user;

	node_pods_claim(r->agent.node_pods, type, arena, claim);
}

static void on_config(const struct api_config *config, void *user)
{
	struct node_run *r = user;

	serve_config(r->agent.serve, config);
}

/* ---- begin and end ---- */

static err *choose_name(struct node_run *r, const char *wanted)
{
	if (wanted)
		snprintf(r->name, sizeof(r->name), "%s", wanted);
	else if (gethostname(r->name, sizeof(r->name) - 1) < 0)
		return err_errno("ask for the host's name");
	for (char *c = r->name; !wanted && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (!meta_is_subdomain(r->name))
		return err_hint(err_new(EINVAL,
					"node name '%s': expected lower-case letters, digits, '-' and '.'",
					r->name),
				"Give one with --name.");
	r->agent.name = r->name;
	return NULL;
}

/* Labels and taints that are wrong end the start, not every try to register. */
static err *check_options(const struct node_options *o)
{
	auto_arena struct arena *arena = NULL;
	struct node node;

	TRY(arena_new(16 << 20, &arena));
	return node_observe(arena, o, &node);
}

static void on_signal(int signal, void *user)
{
	struct node_run *r = user;

	log_info("stopping; containers go on", "signal", signal == SIGTERM ? "TERM" : "INT", NULL);
	loop_stopping(r->agent.loop);
	loop_stop(r->agent.loop, NULL);
}

/* Registers again, too, which does no harm: labels that somebody changed are ours again. */
static void on_hangup(int signal, void *user)
{
	struct node_run *r = user;

	(void)signal;
	link_register_again(r->agent.link);
}

static err *open_pods(struct node_run *r)
{
	struct node_agent *a = &r->agent;
	const struct node_options *o = a->options;
	struct pods_options p = {
		.loop = a->loop,
		.programs = o->programs,
		.store = o->store,
		.node = a->name,
		.address = a->address,
		.runtime = o->runtime,
		.cgroup_manager = o->cgroup_manager,
		.auth_file = o->auth_file,
		.unverified = o->unverified,
	};

	TRY(node_share(o, &p.share));
	TRY(node_pods_new(a, &p, &a->node_pods));
	TRY(pods_open(&p, &a->pods));
	a->contact = (struct contact){ .stale = true, .lease_end = pods_lease_end(a->pods) };
	a->now = PODS_ALONE;
	pods_contact(a->pods, PODS_ALONE);
	TRY(loop_timer(a->loop, 0, contact_due, r, &r->contact_timer));
	TRY(loop_timer(a->loop, clock_boot() + TELL_EVERY, tell_due, r, &r->tell_timer));
	apply_contact(r);
	return NULL;
}

static err *begin(struct node_run *r)
{
	struct node_agent *a = &r->agent;
	const struct node_options *o = a->options;

	TRY(choose_name(r, o->name));
	TRY(check_options(o));
	if (o->address || observe_address(o->api.server, r->address, sizeof(r->address)))
		a->address = o->address ? o->address : r->address;
	TRY(loop_new(&a->loop));
	TRY(loop_signal(a->loop, SIGTERM, on_signal, r));
	TRY(loop_signal(a->loop, SIGINT, on_signal, r));
	TRY(loop_signal(a->loop, SIGHUP, on_hangup, r));
	a->outbox = outbox_new();
	if (!a->outbox)
		return err_oom();
	TRY(metrics_new(a, &a->metrics));
	TRY(err_wrap(open_pods(r), "take over the Pods of this node"));
	TRY(serve_new(a, &a->serve));
	const struct link_options l = {
		.node = o,
		.name = a->name,
		.loop = a->loop,
		.outbox = a->outbox,
		.port = serve_port(a->serve),
		.registered = on_registered,
		.lease = on_lease,
		.pod = on_pod,
		.claim = on_claim,
		.config = on_config,
		.user = r,
	};
	return link_start(&l, &a->link);
}

static void end(struct node_run *r)
{
	struct node_agent *a = &r->agent;

	serve_free(a->serve);
	link_stop(a->link);
	pods_close(a->pods);
	node_pods_free(a->node_pods);
	metrics_free(a->metrics);
	outbox_free(a->outbox);
	loop_source_free(r->contact_timer);
	loop_source_free(r->tell_timer);
	loop_free(a->loop);
}

err *node_run(const struct node_options *options)
{
	struct node_run r = { .agent = { .options = options, .started = clock_real() } };

	err *e = begin(&r);
	if (!e)
		e = loop_run(r.agent.loop);
	end(&r);
	return e;
}
