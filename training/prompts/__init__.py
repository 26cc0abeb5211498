"""Prompts: clicks, boxes and extreme points in millimetres, and simulated users who give them.

Imports `training.networks`.
"""
