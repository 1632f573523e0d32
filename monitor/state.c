/* monitor/state.c: the rows of the monitor's state machine. */
#include "monitor/state.h"

#include <stddef.h>

#include "base/macro.h"
#include "monitor/session-internal.h"

/* clang-format off */
static const struct state_row rows[] = {
	/* from          event             to             action             name */
	{ ST_CREATING,   EV_RUNTIME_OK,    ST_CREATED,    act_created,       "created" },
	{ ST_CREATING,   EV_RUNTIME_ERROR, ST_DELETING,   act_failed,        "create failed" },
	{ ST_CREATING,   EV_STARTER_GONE,  ST_CANCELLING, act_none,          "nobody waits" },
	{ ST_CREATING,   EV_TERM,          ST_CANCELLING, act_none,          "told to end" },
	{ ST_CANCELLING, EV_RUNTIME_OK,    ST_DELETING,   act_unwanted,      "created for nobody" },
	{ ST_CANCELLING, EV_RUNTIME_ERROR, ST_DELETING,   act_unwanted,      "failed for nobody" },
	{ ST_CREATED,    EV_START,         ST_STARTING,   act_start,         "start" },
	{ ST_CREATED,    EV_STARTER_GONE,  ST_DELETING,   act_unwanted,      "nobody will start it" },
	{ ST_CREATED,    EV_TERM,          ST_DELETING,   act_unwanted,      "told to end" },
	{ ST_CREATED,    EV_EXIT,          ST_DRAINING,   act_exited,        "died before its start" },
	{ ST_STARTING,   EV_RUNTIME_OK,    ST_RUNNING,    act_started,       "started" },
	{ ST_STARTING,   EV_RUNTIME_ERROR, ST_DELETING,   act_failed,        "start failed" },
	{ ST_ENTERING,   EV_RUNTIME_OK,    ST_RUNNING,    act_entered,       "entered" },
	{ ST_ENTERING,   EV_RUNTIME_ERROR, ST_DELETING,   act_failed,        "exec failed" },
	{ ST_RUNNING,    EV_EXIT,          ST_DRAINING,   act_exited,        "exited" },
	{ ST_RUNNING,    EV_TERM,          ST_RUNNING,    act_forward_term,  "told to end" },
	{ ST_DRAINING,   EV_DRAINED,       ST_DELETING,   act_delete,        "output read" },
	{ ST_DRAINING,   EV_TIMEOUT,       ST_DELETING,   act_delete,        "others hold the output" },
	{ ST_DELETING,   EV_RUNTIME_OK,    ST_DONE,       act_done,          "deleted" },
	{ ST_DELETING,   EV_RUNTIME_ERROR, ST_DONE,       act_done,          "not deleted" },
};

static const char *const state_names[] = {
	[ST_CREATING] = "creating", [ST_CANCELLING] = "cancelling", [ST_CREATED] = "created",
	[ST_STARTING] = "starting", [ST_ENTERING] = "entering", [ST_RUNNING] = "running",
	[ST_DRAINING] = "draining", [ST_DELETING] = "deleting", [ST_DONE] = "done",
};
static const char *const event_names[] = {
	[EV_RUNTIME_OK] = "runtime ok", [EV_RUNTIME_ERROR] = "runtime error", [EV_START] = "start",
	[EV_STARTER_GONE] = "starter gone", [EV_EXIT] = "exit", [EV_DRAINED] = "drained",
	[EV_TIMEOUT] = "timeout", [EV_TERM] = "term",
};
/* clang-format on */

const struct state_row *state_find(enum monitor_state from, enum monitor_event event)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].from == from && rows[i].event == event)
			return &rows[i];
	return NULL;
}

const char *state_name(enum monitor_state state)
{
	return state_names[state];
}

const char *event_name(enum monitor_event event)
{
	return event_names[event];
}
