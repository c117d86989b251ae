# SPDX-License-Identifier: Apache-2.0
"""Compression methods: from a network to a smaller one and the map between their neurons."""
