/* examples/states.h: the states of processing, and who may move an application from which to which. */
#pragma once
#include <stdbool.h>
#include "base/decode.h"

enum state { STATE_RECEIVED, STATE_REVIEW, STATE_QUERY, STATE_GRANTED, STATE_REFUSED, STATE_COUNT };
extern const struct enum_name state_names[]; /* "eingegangen", "in_pruefung", ... */
extern const struct type t_state;

struct transition {
	enum state from, to;
	int role;	/* examples/token.h */
	bool with_note; /* the other side must be told something: a question, an answer, reasons */
};
/* NULL: not allowed. */
const struct transition *transition_find(enum state from, enum state to, int role);
bool state_is_final(enum state state);
