/* scheduler/scheduler-internal.h: what the program's own files share. */
#pragma once
#include "scheduler/scheduler.h"

enum { SERVER_SOCKET, SERVER_TLS, SERVER_METRICS };

/* PEM text of the files that the options name; empty where there is none. */
struct pem {
	struct str cert, key, client_ca;
};
err *pem_read(const struct scheduler_options *o, struct pem *ret) MUST_CHECK;
void pem_done(struct pem *p);
DEFINE_CLEANUP_OF(struct pem, pem_done)
#define auto_pem CLEANUP(pem_done)

/* scheduler/tls.c: follows the files of the options. */
struct tls;
err *tls_new(struct scheduler *s, struct tls **ret) MUST_CHECK;
void tls_free(struct tls *t);
/* A failure is logged, and the certificates stay as they were. */
void tls_reload(struct scheduler *s);
