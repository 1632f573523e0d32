/* examples/bayernid/service.h: what bayernid's handlers share. */
#pragma once
#include "examples/bayernid/users.h"
#include "examples/httpd.h"
#include "examples/rate.h"
#include "examples/signing.h"

struct bayernid {
	struct users users;
	struct signing_key *key;
	struct keyring ring;	 /* the public half */
	struct rate *logins;	 /* failed ones, by the name that was typed */
	int64_t token_seconds;	 /* how long a token holds */
	int64_t session_seconds; /* how long tokens may be renewed without the password */
};

extern const struct http_route bayernid_routes[];

/* How many wrong passwords a name has, and how long one takes to be forgotten. */
#define LOGIN_BURST    5u
#define LOGIN_INTERVAL (60 * (int64_t)NSEC_PER_SEC)
