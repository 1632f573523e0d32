/* scheduler/explain-containers.c: what the containers of a placed Pod wait for, or how they ended. */
#include <string.h>

#include "base/clock.h"
#include "scheduler/explain-internal.h"

enum { TOLD_MAX = 6, MESSAGE_MAX = 400 };

/* A message is the agent's or a registry's: of any length. Never half a character. */
static void add_message(struct str *out, const char *message)
{
	size_t len = message ? strlen(message) : 0;

	if (len == 0)
		return;
	if (len > MESSAGE_MAX) {
		len = MESSAGE_MAX;
		while (len > 0 && ((unsigned char)message[len] & 0xc0) == 0x80)
			len--;
	}
	str_add(out, ": ");
	str_add_bytes(out, message, len);
	if (message[len])
		str_add(out, "...");
}

static void add_end(struct str *out, const struct container_terminated *t)
{
	char when[CLOCK_TEXT_MAX];

	if (t->signal)
		str_addf(out, "ended by signal %d", t->signal);
	else
		str_addf(out, "ended with %d", t->code);
	if (t->reason && *t->reason)
		str_addf(out, " (%.100s)", t->reason);
	if (t->finished.nsec)
		str_addf(out, " at %s", clock_text(t->finished.nsec, false, when));
	add_message(out, t->message);
}

static bool says_something(const struct container_status *c)
{
	return c->state.waiting || c->state.terminated || (c->restarts > 0 && c->last_state.terminated);
}

static void say_one(const struct container_status *c, struct str *out)
{
	str_addf(out, "; container '%.100s' ", c->name);
	if (c->state.waiting) {
		str_addf(out, "waits: %.100s",
			 c->state.waiting->reason ? c->state.waiting->reason : "no reason told");
		add_message(out, c->state.waiting->message);
	} else if (c->state.terminated) {
		add_end(out, c->state.terminated);
	} else {
		str_add(out, "runs");
	}
	if (c->restarts > 0)
		str_addf(out, c->restarts == 1 ? ", restarted once" : ", restarted %d times", c->restarts);
	if (c->last_state.terminated && !c->state.terminated) {
		str_add(out, ", before it ");
		add_end(out, c->last_state.terminated);
	}
}

void report_say_containers(const struct pod *pod, struct str *out)
{
	unsigned told = 0;

	if (pod->status.reason && *pod->status.reason) {
		str_addf(out, "; %.100s", pod->status.reason);
		add_message(out, pod->status.message);
	}
	for (size_t i = 0; i < pod->status.containers.count; i++) {
		const struct container_status *c = &pod->status.containers.items[i];
		if (says_something(c) && told++ < TOLD_MAX)
			say_one(c, out);
	}
	if (told > TOLD_MAX)
		str_addf(out, "; and %u containers more", told - TOLD_MAX);
}
