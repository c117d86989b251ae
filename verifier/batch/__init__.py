# SPDX-License-Identifier: Apache-2.0
"""Many verifications at once: what is asked, who works on it, and what has been found.

``plan`` turns a table or a manifest into jobs; ``work`` does one of them, given bytes and returning
bytes, wherever that is; ``run`` keeps a pool busy with those that are ready and stores each outcome
under the digest of what it was made from. So a run that was killed goes on where it was: what has
an outcome is not done again.
"""
