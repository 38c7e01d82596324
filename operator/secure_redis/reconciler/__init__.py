"""Makes one pass over one resource: observe, assess, plan, act, report. The only package that knows all others."""
