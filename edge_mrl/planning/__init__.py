"""Device profiles, and the planner that picks the slice a device affords."""

from edge_mrl.planning.facts import BundleFacts, IndexFacts
from edge_mrl.planning.follow import PlanChange, PlanFollower
from edge_mrl.planning.plan import Plan
from edge_mrl.planning.planner import plan
from edge_mrl.profiles.files import list_profiles, load_profile
from edge_mrl.profiles.profile import DeviceProfile
from edge_mrl.profiles.sheets import AUTO

__all__ = [
    "AUTO",
    "BundleFacts",
    "DeviceProfile",
    "IndexFacts",
    "Plan",
    "PlanChange",
    "PlanFollower",
    "list_profiles",
    "load_profile",
    "plan",
]
