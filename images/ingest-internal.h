/* images/ingest-internal.h: blobs on their way into the store, one owner each.
 *
 * ingest/ALG-HEX is the part of a blob that is here; whoever holds its flock owns it and the directory
 * ingest/ALG-HEX.layer beside it. */
#pragma once
#include <stdatomic.h>
#include "images/store-internal.h"

struct ingest {
	struct image_store *store; /* borrowed */
	struct digest digest;
	char path[STORE_PATH_MAX]; /* below the store */
	int fd;			   /* the part, locked; -1: not open */
	uint64_t have;		   /* bytes in it */
	uint64_t synced;	   /* bytes whose write-back was asked for */
};
#define INGEST_INIT      \
	{                \
		.fd = -1 \
	}

/* Own the blob's entry. Waits while somebody else owns it, calling waiting() once; ends with ECANCELED when
 * *cancel becomes true. After the wait the blob may be complete: the caller looks again. */
err *ingest_open(struct image_store *s, const struct digest *digest, const atomic_bool *cancel,
		 void (*waiting)(void *arg), void *arg, struct ingest *ret) MUST_CHECK;

/* Append; write-back begins early so that the final sync is short. */
err *ingest_write(struct ingest *i, const void *bytes, size_t len) MUST_CHECK;

/* Start again from nothing: what is there turned out to be wrong. */
err *ingest_restart(struct ingest *i) MUST_CHECK;

/* The content is verified: make it a blob. */
err *ingest_publish(struct ingest *i) MUST_CHECK;

/* Remove the entry. */
void ingest_discard(struct ingest *i);

/* Give up ownership; a part that is there stays for the next owner, an empty one goes. */
void ingest_done(struct ingest *i);
DEFINE_CLEANUP_OF(struct ingest, ingest_done)
#define auto_ingest CLEANUP(ingest_done)
