/* monitor/state.h: what a monitor does next, as rows. */
#pragma once

struct session;

/* clang-format off */
enum monitor_state {
	ST_CREATING,   /* the runtime's create runs */
	ST_CANCELLING, /* it runs, and nobody wants its result */
	ST_CREATED,    /* waits for START */
	ST_STARTING,   /* the runtime's start runs */
	ST_ENTERING,   /* the runtime's exec runs (an exec session has no CREATED) */
	ST_RUNNING,
	ST_DRAINING,   /* the process has ended, its last output is read */
	ST_DELETING,   /* the runtime's delete runs */
	ST_DONE,
	ST_COUNT,
};
enum monitor_event {
	EV_RUNTIME_OK, EV_RUNTIME_ERROR, EV_START, EV_STARTER_GONE, EV_EXIT, EV_DRAINED, EV_TIMEOUT, EV_TERM,
	EV_COUNT,
};
/* clang-format on */

struct state_row {
	enum monitor_state from;
	enum monitor_event event;
	enum monitor_state to;
	void (*action)(struct session *s);
	const char *name;
};

/* The row for an event in a state, or NULL: the event changes nothing there. */
const struct state_row *state_find(enum monitor_state from, enum monitor_event event);

const char *state_name(enum monitor_state state);
const char *event_name(enum monitor_event event);
