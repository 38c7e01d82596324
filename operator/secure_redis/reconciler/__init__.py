"""The corridor: observe, assess, plan, act, report. The only room that knows all others."""
