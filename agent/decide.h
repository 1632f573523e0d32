/* agent/decide.h: what is done next for a Pod, and what its status is: pure functions of what is wanted and what is there.
 * docs/agent-states.txt shows all cases that matter; its test writes it. All times are CLOCK_BOOTTIME in ns. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "agent/pods.h"
#include "api/pod.h"
#include "base/arena.h"

/* A sandbox, or the present attempt of a container. */
enum decide_state {
	DECIDE_NONE,    /* not made */
	DECIDE_RUNNING,
	DECIDE_ENDED,
};

enum decide_image {
	DECIDE_IMAGE_UNKNOWN, /* not looked for, or the last try failed: not before retry_at */
	DECIDE_IMAGE_PULLING,
	DECIDE_IMAGE_READY,
};

/* How a run ended. */
struct decide_end {
	bool there;            /* false: it has not ended, or there was none */
	uint32_t code, signal;
	bool known, oom;
	int64_t started, finished; /* of the wall clock */
	const char *reason;    /* of the record, or NULL */
	const char *id;        /* of the container */
};

struct decide_container {
	enum decide_state state;
	enum decide_image image;
	bool interrupted;   /* we ended it: it would have run on */
	uint32_t attempt;   /* 1: the first; 0: none yet */
	uint32_t crashes;   /* ends in a row, each soon after its start */
	int64_t ended_at;   /* of its present attempt */
	int64_t retry_at;   /* making it, or fetching its image, failed: not before */
	int64_t term_at;    /* it was asked to end; 0: not */
	bool killed;
	/* For the status alone. */
	int64_t started;    /* of the wall clock */
	struct decide_end end, last; /* of the present attempt, of the one before */
	const char *problem, *problem_text; /* why it waits: "ErrImagePull" and the error */
	const char *image_id, *id;
};

enum decide_loss { DECIDE_REPLACE, DECIDE_KEEP, DECIDE_STOP };

struct decide_input {
	const struct pod *pod;
	bool deleted;        /* the API says so, or does not know it any more */
	int64_t grace;       /* between TERM and KILL */
	bool confirmed;      /* told by the API since our start */
	bool rebooted;       /* its sandbox was made before the machine was restarted */
	bool lost;           /* it has run, but its record is gone: never again */
	enum pods_contact contact;
	enum decide_loss loss;
	int64_t lease_end;   /* 0: never had one */
	enum decide_state sandbox;
	int64_t sandbox_retry_at;
	const char *sandbox_problem;
	const struct decide_container *containers; /* as many as the Pod has */
	int64_t backoff_first, backoff_max;
	const char *host_ip;
	int64_t start_time;  /* of the wall clock: when this node took it */
	int64_t now;
};

enum decide_goal {
	GOAL_RUN,    /* what shall run runs */
	GOAL_HOLD,   /* what runs goes on, nothing is begun */
	GOAL_OVER,   /* all has ended and stays so */
	GOAL_STOP,   /* end it, keep its record */
	GOAL_REMOVE, /* end it and leave nothing */
};
extern const struct enum_name decide_goal_names[];

enum decide_do {
	DO_NOTHING,
	DO_SANDBOX,      /* make one, an ended one goes first */
	DO_END_SANDBOX,
	DO_REMOVE,       /* all of the Pod */
	DO_PULL,         /* these are of containers */
	DO_START,
	DO_TERM,
	DO_KILL,
};
extern const struct enum_name decide_do_names[];

struct decision {
	enum decide_goal goal;
	enum decide_do pod;
	enum decide_do *containers;
	bool interrupt;  /* DO_TERM ends what would have run on */
	int64_t wake;    /* decide again at this time; 0: when something happens */
};

/* containers: room for as many as the Pod has. */
void decide(const struct decide_input *in, enum decide_do *containers, struct decision *ret);

/* The status to be told. `before` (may be NULL) keeps the times of conditions that stay. wall: ns since the epoch. */
err *decide_status(struct arena *arena, const struct decide_input *in, const struct decision *decision,
		   const struct pod_status *before, int64_t wall, struct pod_status *ret) MUST_CHECK;

/* ns to wait before the restart that follows `crashes` ends in a row, or before the next try: 0, first, twice that ... */
int64_t decide_backoff(uint32_t crashes, int64_t first, int64_t max);
