"""Networks that people designed, as plans of their plain form.

The form that is trained with branches is made from the built network by
``autodl.reparam.replacement.replace_convolutions``, the deployed one by ``autodl.reparam.fusion``;
``autodl/plans/fused.py`` and ``autodl/reparam/costs.py`` count both from the plan.
"""
