/* examples/states.c: the table of states. */
#include "examples/states.h"

#include "examples/token.h"

/* clang-format off */
const struct enum_name state_names[] = {
	{ "eingegangen", STATE_RECEIVED },
	{ "in_pruefung", STATE_REVIEW },
	{ "rueckfrage",  STATE_QUERY },
	{ "bewilligt",   STATE_GRANTED },
	{ "abgelehnt",   STATE_REFUSED },
	{ 0 }
};
const struct type t_state = ENUM("state", state_names);

static const struct transition transitions[] = {
	/* from           to              who           note */
	{ STATE_RECEIVED, STATE_REVIEW,  ROLE_CLERK,   false },
	{ STATE_REVIEW,   STATE_QUERY,   ROLE_CLERK,   true },  /* the question */
	{ STATE_QUERY,    STATE_REVIEW,  ROLE_CITIZEN, true },  /* the answer */
	{ STATE_QUERY,    STATE_REVIEW,  ROLE_CLERK,   false }, /* answered by another way */
	{ STATE_REVIEW,   STATE_GRANTED, ROLE_CLERK,   false },
	{ STATE_REVIEW,   STATE_REFUSED, ROLE_CLERK,   true },  /* reasons must be given: section 39 VwVfG */
};
/* clang-format on */

const struct transition *transition_find(enum state from, enum state to, int role)
{
	for (size_t i = 0; i < ARRAY_LEN(transitions); i++)
		if (transitions[i].from == from && transitions[i].to == to && transitions[i].role == role)
			return &transitions[i];
	return NULL;
}

bool state_is_final(enum state state)
{
	for (size_t i = 0; i < ARRAY_LEN(transitions); i++)
		if (transitions[i].from == state)
			return false;
	return true;
}
