"""The menus: lights to choose from, what can be done with jobs, and all of ReliTalk for search and keyboard."""

from __future__ import annotations

from bpy.types import Menu

from ..relitalk_addon import presets


class RELITALK_MT_lights(Menu):
    """Lights that ship, and those that you kept"""

    bl_idname = "RELITALK_MT_lights"
    bl_label = "Light Presets"

    def draw(self, context):
        layout = self.layout
        for name in presets.LIGHTS:
            layout.operator("relitalk.use_light", text=name).name = name
        own = presets.own_names("light")
        if own:
            layout.separator()
        for name in own:
            layout.operator("relitalk.use_light", text=name, translate=False).name = name


class RELITALK_MT_jobs(Menu):
    """What can be done with jobs"""

    bl_idname = "RELITALK_MT_jobs"
    bl_label = "Job Specials"

    def draw(self, context):
        layout = self.layout
        layout.operator("relitalk.open_job", icon="FILE_FOLDER")
        layout.operator("relitalk.copy_report", icon="COPYDOWN")
        layout.separator()
        layout.operator("relitalk.remove_ended", icon="TRASH")


class RELITALK_MT_main(Menu):
    """All that ReliTalk does"""

    bl_idname = "RELITALK_MT_main"
    bl_label = "ReliTalk"

    def draw(self, context):
        layout = self.layout
        layout.operator("relitalk.set_up_engine", icon="IMPORT")
        layout.operator("relitalk.try_sample", icon="PLAY")
        layout.separator()
        layout.operator("relitalk.use_file", text="Choose a File", icon="FILEBROWSER")
        layout.operator("relitalk.train", icon="ARMATURE_DATA")
        layout.operator("relitalk.match_light", icon="WORLD")
        layout.menu("RELITALK_MT_lights", icon="LIGHT")
        layout.operator("relitalk.render", icon="RENDER_ANIMATION")
        layout.operator("relitalk.relight", icon="LIGHT")
        layout.operator("relitalk.place_take", icon="IMAGE_PLANE")
        layout.separator()
        layout.operator("relitalk.update_light", icon="FILE_REFRESH")
        layout.operator("relitalk.key_light", icon="KEYFRAME_HLT")
        layout.operator("relitalk.match_exposure", icon="EYEDROPPER")
        layout.operator("relitalk.composite", icon="NODE_COMPOSITING")
        layout.operator("relitalk.add_head_mesh", icon="MESH_MONKEY")
        layout.operator("relitalk.drive_mesh", icon="SHAPEKEY_DATA")
        layout.separator()
        layout.operator("relitalk.cancel", icon="X")
        layout.operator("relitalk.resume_job", icon="FILE_REFRESH")
        layout.menu("RELITALK_MT_jobs", text="Jobs", icon="PREFERENCES")


def draw_main(menu: Menu, _) -> None:
    """The line in the 3D viewport's Object menu, where F3 finds it."""
    menu.layout.separator()
    menu.layout.menu("RELITALK_MT_main", icon="USER")
